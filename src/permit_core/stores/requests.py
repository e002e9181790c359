"""Where requests are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, false, func, not_, or_, select, update

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.errors import Conflict, ConstraintViolated
from permit_core.page import Page, page_offset
from permit_core.ports.request import (
    CalledTool,
    ConfirmedBy,
    Kinds,
    Request,
    RequestFilter,
    RequestKind,
    RequestStatus,
    kinds_of,
)
from permit_core.stores.tables import held_arguments, requests

# Named, so that the index on tenant, kind and status is used and closed requests are not looked through.
_KINDS = [kind.value for kind in RequestKind]
_LAPSING = (RequestStatus.PENDING.value, RequestStatus.APPROVED.value)
_MOST_DENIALS = 50  # the pause after so many has its full length long since
_NEWEST_FIRST = (requests.c.created_at.desc(), requests.c.id)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about: who may review it depends on nothing else."""

    kind: RequestKind
    resource: ResourceRef
    role: str | None
    operation: str | None

    @classmethod
    def of(cls, request: Request) -> Subject:
        """The subject of a request."""
        return cls(request.kind, request.resource, request.role, request.operation)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A subject, and the action whose holders were to decide it when it was asked.

    Requests that are alike in both have the same reviewers.
    """

    subject: Subject
    review_action: str

    @classmethod
    def of(cls, request: Request) -> Reviewed:
        """What the reviewers of a request depend on."""
        return cls(Subject.of(request), request.review_action)


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose eyes a list is for: the viewer sees what is the viewer's own or among ``viewer_reviews``.

    ``approver_reviews`` counts only under a filter by approver: what that person may review.
    """

    viewer: str
    viewer_reviews: Collection[Reviewed] = ()
    approver_reviews: Collection[Reviewed] = ()


class RequestStore:
    """Requests as rows. It knows no rule; every write needs the caller's transaction."""

    async def add(self, transaction: Transaction, request: Request) -> None:
        """Keep a new request.

        Raises:
            Conflict: ``already_pending``: the same is waited for already.
        """
        try:
            await transaction.execute(requests.insert().values(_columns(request)))
        except ConstraintViolated as error:
            raise Conflict("You have asked for this already.", code="already_pending") from error

    async def get(self, environment: str, transaction: Transaction, kind: Kinds, request_id: str) -> Request | None:
        """The request of this kind with this id, in whatever tenant, or None."""
        query = select(requests).where(
            requests.c.environment == environment, requests.c.id == request_id, _is_one_of(kind)
        )
        row = (await transaction.execute(query)).one_or_none()
        return None if row is None else request_of(row)

    async def find(self, environment: str, transaction: Transaction, request_id: str) -> Request | None:
        """The request with this id, of whatever kind and in whatever tenant, or None."""
        row = (
            await transaction.execute(
                select(requests).where(requests.c.environment == environment, requests.c.id == request_id)
            )
        ).one_or_none()
        return None if row is None else request_of(row)

    async def exchange(self, transaction: Transaction, old: Request, new: Request) -> bool:
        """Put ``new`` in the place of ``old``: only if the stored status is still that of ``old``."""
        changed = update(requests).where(requests.c.id == old.id, requests.c.status == old.status.value)
        result = await transaction.execute(changed.values(_columns(new)))
        return result.rowcount == 1

    async def about(
        self,
        environment: str,
        transaction: Transaction,
        tenant: str,
        user: str,
        subject: Subject,
        statuses: Collection[RequestStatus],
    ) -> list[Request]:
        """What the user has asked about one subject and now has one of the statuses, newest first."""
        query = (
            select(requests)
            .where(
                requests.c.environment == environment,
                requests.c.tenant == tenant,
                requests.c.user_key == user,
                _about(subject),
                requests.c.status.in_([status.value for status in statuses]),
            )
            .order_by(*_NEWEST_FIRST)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def called(
        self, transaction: Transaction, like: Request, statuses: Collection[RequestStatus] | None = None
    ) -> list[Request]:
        """What its user, through its agent, has asked about the call that a request is for, at its gate, newest first.

        The tool, its arguments and the gate count; the tool's definition may be an older one.
        """
        called = like.called
        if called is None:
            return []
        conditions = [
            requests.c.environment == like.environment,
            requests.c.tenant == like.tenant,
            requests.c.kind == RequestKind.CALL.value,
            requests.c.user_key == like.user,
            requests.c.agent == (like.agent or ""),
            requests.c.tool == called.tool,
            requests.c.digest == called.digest,
            requests.c.gate == called.gate,
        ]
        if statuses is not None:
            conditions.append(requests.c.status.in_([status.value for status in statuses]))
        query = select(requests).where(*conditions).order_by(*_NEWEST_FIRST)
        return [request_of(row) for row in await transaction.execute(query)]

    async def undecided(self, environment: str, transaction: Transaction, limit: int = 1000) -> list[Request]:
        """What waits for a decision, the longest first, at most ``limit``; lapsed ones that nobody looked at as well."""
        query = (
            select(requests)
            .where(requests.c.environment == environment, requests.c.status == RequestStatus.PENDING.value)
            .order_by(requests.c.created_at, requests.c.id)
            .limit(limit)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def executing(self, environment: str, transaction: Transaction, limit: int) -> list[Request]:
        """Calls that are being sent, the one begun first at the head, at most ``limit``."""
        query = (
            select(requests)
            .where(requests.c.environment == environment, requests.c.status == RequestStatus.EXECUTING.value)
            .order_by(requests.c.claimed_at, requests.c.id)
            .limit(limit)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def denials(
        self,
        environment: str,
        transaction: Transaction,
        tenant: str,
        user: str,
        subject: Subject,
        tool: str = "",
        *,
        since: datetime,
    ) -> list[datetime]:
        """When reviewers denied what the user asked about a subject, since the last yes and ``since``, newest first.

        Of calls all of one tool count: other arguments are another call and the same question.
        """
        query = (
            select(requests.c.status, requests.c.decided_at)
            .where(
                requests.c.environment == environment,
                requests.c.tenant == tenant,
                requests.c.user_key == user,
                requests.c.tool == tool,
                _about(subject),
                requests.c.decided_at > since,
            )
            .order_by(requests.c.decided_at.desc())
            .limit(_MOST_DENIALS)
        )
        found: list[datetime] = []
        for row in await transaction.execute(query):
            if row.status != RequestStatus.DENIED.value:
                break
            found.append(row.decided_at)
        return found

    async def hold_arguments(self, transaction: Transaction, request_id: str, sealed: bytes) -> None:
        """Keep the sealed arguments of a call."""
        await transaction.execute(held_arguments.insert().values(request_id=request_id, sealed=sealed))

    async def held_arguments(self, transaction: Transaction, request_id: str) -> bytes | None:
        """The sealed arguments of a call that is not settled, or None."""
        query = select(held_arguments.c.sealed).where(held_arguments.c.request_id == request_id)
        return (await transaction.execute(query)).scalar_one_or_none()

    async def erase_arguments(self, transaction: Transaction, request_id: str) -> None:
        """Forget the arguments of a call."""
        await transaction.execute(held_arguments.delete().where(held_arguments.c.request_id == request_id))

    async def latest(
        self, environment: str, transaction: Transaction, tenant: str, user: str, subject: Subject
    ) -> Request | None:
        """The last thing the user has asked about one subject, whatever became of it, or None."""
        query = (
            select(requests)
            .where(
                requests.c.environment == environment,
                requests.c.tenant == tenant,
                requests.c.user_key == user,
                _about(subject),
            )
            .order_by(*_NEWEST_FIRST)
            .limit(1)
        )
        row = (await transaction.execute(query)).one_or_none()
        return None if row is None else request_of(row)

    async def pending_count(
        self, environment: str, transaction: Transaction, tenant: str, user: str, now: datetime
    ) -> int:
        """How many requests of this user wait for a decision, those whose time is over at ``now`` aside."""
        query = select(func.count()).where(
            requests.c.environment == environment,
            requests.c.tenant == tenant,
            requests.c.kind.in_(_KINDS),
            requests.c.status == RequestStatus.PENDING.value,
            requests.c.user_key == user,
            or_(requests.c.expires_at.is_(None), requests.c.expires_at > now),
        )
        return int((await transaction.execute(query)).scalar_one())

    async def lapsed(
        self,
        environment: str,
        transaction: Transaction,
        tenant: str,
        statuses: Iterable[RequestStatus],
        now: datetime,
        limit: int,
    ) -> list[Request]:
        """Requests in one of ``statuses`` whose time is over at ``now``, at most ``limit``."""
        query = (
            select(requests)
            .where(
                requests.c.environment == environment,
                requests.c.tenant == tenant,
                requests.c.kind.in_(_KINDS),
                requests.c.status.in_([status.value for status in statuses]),
                requests.c.expires_at <= now,
            )
            .order_by(requests.c.expires_at, requests.c.id)
            .limit(limit)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def reviewed(
        self,
        environment: str,
        transaction: Transaction,
        tenant: str,
        kind: Kinds,
        wanted: RequestFilter,
        now: datetime,
    ) -> list[Reviewed]:
        """What the reviewers of the requests that match depend on, each once."""
        columns = (
            requests.c.kind,
            requests.c.resource_type,
            requests.c.resource_key,
            requests.c.role,
            requests.c.operation,
            requests.c.review_action,
        )
        rows = await transaction.execute(
            select(*columns).where(_matches(environment, tenant, kind, wanted, now)).distinct()
        )
        return [
            Reviewed(
                Subject(RequestKind(row.kind), _resource_of(row), row.role or None, row.operation or None),
                row.review_action,
            )
            for row in rows
        ]

    async def page(
        self,
        environment: str,
        transaction: Transaction,
        tenant: str,
        kind: Kinds,
        wanted: RequestFilter,
        visibility: Visibility,
        *,
        now: datetime,
        page: int,
        per_page: int,
    ) -> Page[Request]:
        """One page of the matching requests that may be seen, newest first; ``total`` counts those alone.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        skip = page_offset(page, per_page)
        condition = and_(_matches(environment, tenant, kind, wanted, now), _seen(wanted, visibility))
        total = (await transaction.execute(select(func.count()).select_from(requests).where(condition))).scalar_one()
        newest_first = select(requests).where(condition).order_by(*_NEWEST_FIRST)
        rows = await transaction.execute(newest_first.offset(skip).limit(per_page))
        return Page([request_of(row) for row in rows], total, page, per_page)


def _matches(environment: str, tenant: str, kind: Kinds, wanted: RequestFilter, now: datetime) -> ColumnElement[bool]:
    """The filter as a condition, ``approver`` aside: rights are not in this table."""
    conditions = [requests.c.environment == environment, requests.c.tenant == tenant, _is_one_of(kind)]
    if wanted.status is not None:
        conditions.append(_has_status(wanted.status, now))
    if wanted.role is not None:
        is_role = requests.c.kind == RequestKind.ACCESS_REQUEST.value
        asked_for, asked_as = requests.c.role == wanted.role, requests.c.asked_as == wanted.role
        conditions.append(or_(and_(is_role, asked_for), and_(not_(is_role), asked_as)))
    if wanted.user is not None:
        conditions.append(requests.c.user_key == wanted.user)
    if wanted.resource is not None:
        conditions.append(requests.c.resource_type == wanted.resource.type)
        if wanted.resource.key is not None:
            conditions.append(requests.c.resource_key == wanted.resource.key)
    return and_(*conditions)


def _is_one_of(kind: Kinds) -> ColumnElement[bool]:
    return requests.c.kind.in_(sorted(each.value for each in kinds_of(kind)))


def _has_status(status: RequestStatus, now: datetime) -> ColumnElement[bool]:
    """Has the status at ``now``: what lapsed and was not moved to expired yet counts as expired."""
    over = and_(requests.c.status.in_(_LAPSING), requests.c.expires_at <= now)
    if status is RequestStatus.EXPIRED:
        return or_(requests.c.status == status.value, over)
    if status.value in _LAPSING:
        return and_(
            requests.c.status == status.value, or_(requests.c.expires_at.is_(None), requests.c.expires_at > now)
        )
    return requests.c.status == status.value


def _seen(wanted: RequestFilter, visibility: Visibility) -> ColumnElement[bool]:
    mine = requests.c.user_key == visibility.viewer
    seen = or_(mine, _reviewed_any(visibility.viewer_reviews))
    if wanted.approver is None:
        return seen
    return and_(seen, requests.c.user_key != wanted.approver, _reviewed_any(visibility.approver_reviews))


def _about(subject: Subject) -> ColumnElement[bool]:
    return and_(
        requests.c.kind == subject.kind.value,
        requests.c.resource_type == subject.resource.type,
        requests.c.resource_key == (subject.resource.key or ""),
        requests.c.role == (subject.role or ""),
        requests.c.operation == (subject.operation or ""),
    )


def _reviewed_any(reviewed: Iterable[Reviewed]) -> ColumnElement[bool]:
    """Reviewed by the same people as one of these; nothing when there is none.

    One bound value for each instance: databases take some ten thousand.
    """
    keys: dict[tuple[str, str, str, str, str], list[str]] = {}
    for each in reviewed:
        subject = each.subject
        group = (
            subject.kind.value,
            subject.resource.type,
            subject.role or "",
            subject.operation or "",
            each.review_action,
        )
        keys.setdefault(group, []).append(subject.resource.key or "")
    groups = [
        and_(
            requests.c.kind == kind,
            requests.c.resource_type == resource_type,
            requests.c.role == role,
            requests.c.operation == operation,
            requests.c.review_action == review_action,
            requests.c.resource_key.in_(of_type),
        )
        for (kind, resource_type, role, operation, review_action), of_type in keys.items()
    ]
    return or_(false(), *groups)


def _columns(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "kind": request.kind.value,
        "environment": request.environment,
        "tenant": request.tenant,
        "user_key": request.user,
        "user_name": request.user_name,
        "resource_type": request.resource.type,
        "resource_key": request.resource.key or "",
        "resource_name": request.resource_name,
        "role": request.role or "",
        "operation": request.operation or "",
        "pinned": dict(request.pinned),
        "reason": request.reason,
        "status": request.status.value,
        "created_at": request.created_at,
        "expires_at": request.expires_at,
        "decided_by": request.decided_by,
        "decided_by_name": request.decided_by_name,
        "decided_at": request.decided_at,
        "comment": request.comment,
        "used_at": request.used_at,
        "lasts_seconds": None if request.lasts is None else int(request.lasts.total_seconds()),
        "agent": request.agent or "",
        "session": request.session or "",
        "asked_as": request.asked_as or "",
        "review_action": request.review_action,
        "confirmed_by": request.by.value,
        "claimed_at": request.claimed_at,
        "runner": request.runner,
        "standing": request.standing,
        **({} if request.called is None else _call_columns(request.called)),
    }


def _call_columns(called: CalledTool) -> dict[str, Any]:
    return {
        "tool": called.tool,
        "digest": called.digest,
        "definition": called.definition,
        "gate": called.gate,
        "arguments": dict(called.arguments),
    }


def _resource_of(row: Row[Any]) -> ResourceRef:
    return ResourceRef(row.resource_type, row.resource_key or None)


def request_of(row: Row[Any]) -> Request:
    """The request in a row that has at least the columns of the table."""
    return Request(
        id=row.id,
        kind=RequestKind(row.kind),
        environment=row.environment,
        tenant=row.tenant,
        user=row.user_key,
        user_name=row.user_name,
        resource=_resource_of(row),
        resource_name=row.resource_name,
        role=row.role or None,
        operation=row.operation or None,
        pinned=row.pinned,
        reason=row.reason,
        status=RequestStatus(row.status),
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_by=row.decided_by,
        decided_by_name=row.decided_by_name,
        decided_at=row.decided_at,
        comment=row.comment,
        used_at=row.used_at,
        lasts=None if row.lasts_seconds is None else timedelta(seconds=row.lasts_seconds),
        agent=row.agent or None,
        session=row.session or None,
        asked_as=row.asked_as or None,
        review_action=row.review_action,
        by=ConfirmedBy(row.confirmed_by),
        called=CalledTool(row.tool, row.digest, row.definition, row.gate, row.arguments) if row.tool else None,
        claimed_at=row.claimed_at,
        runner=row.runner,
        standing=row.standing,
    )

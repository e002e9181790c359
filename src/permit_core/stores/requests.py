"""Where requests are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, false, func, or_, select, update

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.errors import Conflict, ConstraintViolated
from permit_core.identity import DEFAULT_ENVIRONMENT
from permit_core.page import Page, page_offset
from permit_core.ports.request import Request, RequestFilter, RequestKind, RequestStatus
from permit_core.stores.tables import requests

# Named, so that the index on tenant, kind and status is used and closed requests are not looked through.
_KINDS = [kind.value for kind in RequestKind]
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
class Visibility:
    """Whose eyes a list is for: the viewer sees what is the viewer's own or among ``viewer_reviews``.

    ``approver_reviews`` counts only under a filter by approver: what that person may review.
    """

    viewer: str
    viewer_reviews: Collection[Subject] = ()
    approver_reviews: Collection[Subject] = ()


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

    async def get(self, transaction: Transaction, kind: RequestKind, request_id: str) -> Request | None:
        """The request of this kind with this id, in whatever tenant, or None."""
        query = select(requests).where(requests.c.id == request_id, requests.c.kind == kind.value)
        row = (await transaction.execute(query)).one_or_none()
        return None if row is None else request_of(row)

    async def exchange(self, transaction: Transaction, old: Request, new: Request) -> bool:
        """Put ``new`` in the place of ``old``: only if the stored status is still that of ``old``."""
        changed = update(requests).where(requests.c.id == old.id, requests.c.status == old.status.value)
        result = await transaction.execute(changed.values(_columns(new)))
        return result.rowcount == 1

    async def about(
        self, transaction: Transaction, tenant: str, user: str, subject: Subject, statuses: Collection[RequestStatus]
    ) -> list[Request]:
        """What the user has asked about one subject and now has one of the statuses, newest first."""
        query = (
            select(requests)
            .where(
                requests.c.tenant == tenant,
                requests.c.user_key == user,
                _about(subject),
                requests.c.status.in_([status.value for status in statuses]),
            )
            .order_by(*_NEWEST_FIRST)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def latest(self, transaction: Transaction, tenant: str, user: str, subject: Subject) -> Request | None:
        """The last thing the user has asked about one subject, whatever became of it, or None."""
        query = (
            select(requests)
            .where(requests.c.tenant == tenant, requests.c.user_key == user, _about(subject))
            .order_by(*_NEWEST_FIRST)
            .limit(1)
        )
        row = (await transaction.execute(query)).one_or_none()
        return None if row is None else request_of(row)

    async def pending_count(self, transaction: Transaction, tenant: str, user: str, now: datetime) -> int:
        """How many requests of this user wait for a decision, those whose time is over at ``now`` aside."""
        query = select(func.count()).where(
            requests.c.tenant == tenant,
            requests.c.kind.in_(_KINDS),
            requests.c.status == RequestStatus.PENDING.value,
            requests.c.user_key == user,
            or_(requests.c.expires_at.is_(None), requests.c.expires_at > now),
        )
        return int((await transaction.execute(query)).scalar_one())

    async def lapsed(
        self, transaction: Transaction, tenant: str, statuses: Iterable[RequestStatus], now: datetime, limit: int
    ) -> list[Request]:
        """Requests in one of ``statuses`` whose time is over at ``now``, at most ``limit``."""
        query = (
            select(requests)
            .where(
                requests.c.tenant == tenant,
                requests.c.kind.in_(_KINDS),
                requests.c.status.in_([status.value for status in statuses]),
                requests.c.expires_at <= now,
            )
            .order_by(requests.c.expires_at, requests.c.id)
            .limit(limit)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def subjects(
        self, transaction: Transaction, tenant: str, kind: RequestKind, wanted: RequestFilter
    ) -> list[Subject]:
        """The different subjects among the requests that match, each once."""
        columns = (requests.c.resource_type, requests.c.resource_key, requests.c.role, requests.c.operation)
        rows = await transaction.execute(select(*columns).where(_matches(tenant, kind, wanted)).distinct())
        return [
            Subject(kind, ResourceRef(row.resource_type, row.resource_key), row.role or None, row.operation or None)
            for row in rows
        ]

    async def page(
        self,
        transaction: Transaction,
        tenant: str,
        kind: RequestKind,
        wanted: RequestFilter,
        visibility: Visibility,
        *,
        page: int,
        per_page: int,
    ) -> Page[Request]:
        """One page of the matching requests that may be seen, newest first; ``total`` counts those alone.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        skip = page_offset(page, per_page)
        condition = and_(_matches(tenant, kind, wanted), _seen(wanted, visibility))
        total = (await transaction.execute(select(func.count()).select_from(requests).where(condition))).scalar_one()
        newest_first = select(requests).where(condition).order_by(*_NEWEST_FIRST)
        rows = await transaction.execute(newest_first.offset(skip).limit(per_page))
        return Page([request_of(row) for row in rows], total, page, per_page)


def _matches(tenant: str, kind: RequestKind, wanted: RequestFilter) -> ColumnElement[bool]:
    """The filter as a condition, ``approver`` aside: rights are not in this table."""
    conditions = [requests.c.tenant == tenant, requests.c.kind == kind.value]
    if wanted.status is not None:
        conditions.append(requests.c.status == wanted.status.value)
    if wanted.role is not None:
        conditions.append(requests.c.role == wanted.role)
    if wanted.user is not None:
        conditions.append(requests.c.user_key == wanted.user)
    if wanted.resource is not None:
        conditions.append(requests.c.resource_type == wanted.resource.type)
        if wanted.resource.key is not None:
            conditions.append(requests.c.resource_key == wanted.resource.key)
    return and_(*conditions)


def _seen(wanted: RequestFilter, visibility: Visibility) -> ColumnElement[bool]:
    mine = requests.c.user_key == visibility.viewer
    seen = or_(mine, _about_any(visibility.viewer_reviews))
    if wanted.approver is None:
        return seen
    return and_(seen, requests.c.user_key != wanted.approver, _about_any(visibility.approver_reviews))


def _about(subject: Subject) -> ColumnElement[bool]:
    return and_(requests.c.kind == subject.kind.value, _about_any([subject]))


def _about_any(subjects: Iterable[Subject]) -> ColumnElement[bool]:
    """About one of the subjects; nothing when there is none.

    One bound value for each instance: databases take some ten thousand.
    """
    keys: dict[tuple[str, str, str], list[str]] = {}
    for subject in subjects:
        group = (subject.resource.type, subject.role or "", subject.operation or "")
        keys.setdefault(group, []).append(subject.resource.key or "")
    groups = [
        and_(
            requests.c.resource_type == resource_type,
            requests.c.role == role,
            requests.c.operation == operation,
            requests.c.resource_key.in_(of_type),
        )
        for (resource_type, role, operation), of_type in keys.items()
    ]
    return or_(false(), *groups)


def _columns(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "kind": request.kind.value,
        "tenant": request.tenant,
        "user_key": request.user,
        "user_name": request.user_name,
        "resource_type": request.resource.type,
        "resource_key": request.resource.key or "",
        "resource_name": request.resource_name,
        "role": request.role or "",
        "operation": request.operation or "",
        "arguments": dict(request.arguments),
        "reason": request.reason,
        "status": request.status.value,
        "created_at": request.created_at,
        "expires_at": request.expires_at,
        "decided_by": request.decided_by,
        "decided_by_name": request.decided_by_name,
        "decided_at": request.decided_at,
        "comment": request.comment,
        "used_at": request.used_at,
    }


def request_of(row: Row[Any]) -> Request:
    """The request in a row that has at least the columns of the table."""
    return Request(
        id=row.id,
        kind=RequestKind(row.kind),
        environment=DEFAULT_ENVIRONMENT,
        tenant=row.tenant,
        user=row.user_key,
        user_name=row.user_name,
        resource=ResourceRef(row.resource_type, row.resource_key),
        resource_name=row.resource_name,
        role=row.role or None,
        operation=row.operation or None,
        arguments=row.arguments,
        reason=row.reason,
        status=RequestStatus(row.status),
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_by=row.decided_by,
        decided_by_name=row.decided_by_name,
        decided_at=row.decided_at,
        comment=row.comment,
        used_at=row.used_at,
    )

"""Where it is kept who is to be told of what."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import Row, Select, and_, bindparam, exists, false, func, not_, or_, select, tuple_, update

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.ports.request import Request, RequestStatus
from permit_core.stores.requests import request_of
from permit_core.stores.tables import announcements, notices, requests, role_assignments, users

SESSION = "session"
"""The channel of those who have a session open, or open one later."""

NoticeEvent = Literal["request_created", "request_decided"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something one person is to be told.

    Attributes:
        id: rises in the order in which notices became true.
        channel: the way by which it is told, ``session`` for open sessions; each is delivered for itself.
        recipient: directory key of the person.
        tenant: the tenant it happened in.
        event: ``request_created`` for who may review it, ``request_decided`` for who asked.
        request: the request as it stands now, not as it stood then.
        created_at: UTC.
    """

    id: int
    recipient: str
    tenant: str
    event: NoticeEvent
    request: Request
    created_at: datetime
    channel: str = SESSION


class NoticeStore:
    """Notices as rows, read together with the request they are about."""

    async def add(
        self,
        transaction: Transaction,
        recipients: Iterable[str],
        event: NoticeEvent,
        request: Request,
        *,
        channels: Iterable[str] = (SESSION,),
        now: datetime,
    ) -> None:
        """Keep one notice for each recipient and channel; one that is there already stays as it is."""
        there = select(notices.c.recipient, notices.c.channel).where(
            notices.c.request_id == request.id, notices.c.event == event
        )
        known = {(row.recipient, row.channel) for row in await transaction.execute(there)}
        wanted = {(recipient, channel): None for recipient in recipients for channel in channels}
        rows = [
            {
                "recipient": recipient,
                "channel": channel,
                "environment": request.environment,
                "tenant": request.tenant,
                "event": event,
                "request_id": request.id,
                "created_at": now,
            }
            for recipient, channel in wanted
            if (recipient, channel) not in known
        ]
        if rows:
            await transaction.execute(notices.insert(), rows)

    async def announce(self, transaction: Transaction, request_id: str, now: datetime) -> None:
        """Note that those who may review a new request are still to be found and told."""
        await transaction.execute(announcements.insert().values(request_id=request_id, created_at=now))

    async def announced(self, environment: str, transaction: Transaction, limit: int) -> list[Request]:
        """New requests whose reviewers are still to be found, oldest first."""
        query = (
            select(*requests.c)
            .join_from(requests, announcements, announcements.c.request_id == requests.c.id)
            .where(requests.c.environment == environment)
            .order_by(announcements.c.created_at, requests.c.id)
            .limit(limit)
        )
        return [request_of(row) for row in await transaction.execute(query)]

    async def take_announcement(self, transaction: Transaction, request_id: str) -> bool:
        """Note that they have been found; False when another process was faster."""
        done = announcements.delete().where(announcements.c.request_id == request_id)
        return (await transaction.execute(done)).rowcount == 1

    async def after(self, environment: str, transaction: Transaction, last_id: int, limit: int) -> list[Notice]:
        """Notices for sessions with a higher id than ``last_id``, whoever they are for, in order, at most ``limit``."""
        found = await transaction.execute(_after(), {"environment": environment, "last_id": last_id, "most": limit})
        return [_notice(row) for row in found]

    async def waiting(self, environment: str, transaction: Transaction, channel: str, limit: int) -> list[Notice]:
        """Notices that were not delivered on a channel yet, whoever they are for, in order, at most ``limit``."""
        query = _with_request().where(
            notices.c.environment == environment, notices.c.channel == channel, notices.c.delivered_at.is_(None)
        )
        return [_notice(row) for row in await transaction.execute(query.order_by(notices.c.id).limit(limit))]

    async def undelivered(self, environment: str, transaction: Transaction, user: str, tenant: str) -> list[Notice]:
        """What the user has not been told yet, in order; of new requests, only those that still wait."""
        query = _with_request().where(
            notices.c.environment == environment,
            notices.c.recipient == user,
            notices.c.tenant == tenant,
            notices.c.channel == SESSION,
            notices.c.delivered_at.is_(None),
            or_(notices.c.event != "request_created", requests.c.status == RequestStatus.PENDING.value),
        )
        return [_notice(row) for row in await transaction.execute(query.order_by(notices.c.id))]

    async def mark_delivered(
        self, environment: str, transaction: Transaction, ids: Collection[int], now: datetime
    ) -> None:
        """Note that these were delivered. The first time counts."""
        fresh = update(notices).where(
            notices.c.environment == environment, notices.c.id.in_(ids), notices.c.delivered_at.is_(None)
        )
        await transaction.execute(fresh.values(delivered_at=now))

    async def latest_id(self, environment: str, transaction: Transaction) -> int:
        """The highest id there is, or 0."""
        return (
            await transaction.execute(select(func.max(notices.c.id)).where(notices.c.environment == environment))
        ).scalar_one() or 0

    async def was_told(self, environment: str, transaction: Transaction, user: str, request_id: str) -> bool:
        """Whether there is, delivered or not, a notice to the user that the request was made."""
        query = select(notices.c.id).where(
            notices.c.environment == environment,
            notices.c.recipient == user,
            notices.c.event == "request_created",
            notices.c.request_id == request_id,
        )
        return (await transaction.execute(query.limit(1))).first() is not None

    async def untold(self, environment: str, transaction: Transaction, user: str, tenant: str) -> list[Request]:
        """The pending requests of others that there is no notice to the user about, oldest first."""
        told = exists().where(
            notices.c.environment == environment,
            notices.c.recipient == user,
            notices.c.event == "request_created",
            notices.c.request_id == requests.c.id,
        )
        query = select(requests).where(
            requests.c.environment == environment,
            requests.c.tenant == tenant,
            requests.c.status == RequestStatus.PENDING.value,
            requests.c.user_key != user,
            not_(told),
        )
        return [
            request_of(row) for row in await transaction.execute(query.order_by(requests.c.created_at, requests.c.id))
        ]

    async def holders(
        self, environment: str, transaction: Transaction, tenant: str, roles: Iterable[tuple[ResourceRef | None, str]]
    ) -> list[str]:
        """The keys of those who were given one of these roles, on an instance or, under None, in the whole tenant."""
        by_role: dict[str, list[tuple[str, str]]] = {}
        for on, role in roles:
            by_role.setdefault(role, []).append(("", "") if on is None else (on.type, on.key or ""))
        given = role_assignments.c
        places = [
            and_(given.role == role, tuple_(given.resource_type, given.resource_key).in_(on))
            for role, on in by_role.items()
        ]
        query = (
            select(given.user_key)
            .where(given.environment == environment, given.tenant == tenant, or_(false(), *places))
            .distinct()
        )
        return sorted((await transaction.execute(query)).scalars())

    async def possible_recipients(self, environment: str, transaction: Transaction) -> list[str]:
        """The keys of all users. Whom a notice concerns is a question to the decision point, not to this table."""
        return [
            row.key
            for row in await transaction.execute(
                select(users.c.key).where(users.c.environment == environment).order_by(users.c.key)
            )
        ]


def _with_request() -> Select[Any]:
    """Notices joined with all columns of their request; the notice's own come under other names."""
    return select(
        notices.c.id.label("notice_id"),
        notices.c.recipient,
        notices.c.event,
        notices.c.channel,
        notices.c.created_at.label("notice_created_at"),
        *requests.c,
    ).join_from(notices, requests, notices.c.request_id == requests.c.id)


@cache  # asked several times a second, for ever
def _after() -> Select[Any]:
    mine = and_(notices.c.environment == bindparam("environment"), notices.c.channel == SESSION)
    return (
        _with_request().where(mine, notices.c.id > bindparam("last_id")).order_by(notices.c.id).limit(bindparam("most"))
    )


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        id=row.notice_id,
        recipient=row.recipient,
        tenant=row.tenant,
        event=row.event,
        request=request_of(row),
        created_at=row.notice_created_at,
        channel=row.channel,
    )

"""The register of requests: the one place where a request comes to be or changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from permit_core.approvals.lifecycle import LIVE, Event, advance, closed
from permit_core.approvals.notices import NoticeBoard
from permit_core.database import Database, Transaction
from permit_core.identity import Actor, system_actor
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Request, RequestKind
from permit_core.stores.requests import RequestStore

SWEEP = 200
"""How many lapsed requests one transaction moves."""

_AUDIT_NAMES = {
    Event.APPROVE: "request.approved",
    Event.DENY: "request.denied",
    Event.CANCEL: "request.cancelled",
    Event.EXPIRE: "request.expired",
    Event.USE: "request.used",
}


class Register:
    """Makes and moves requests: the row, its audit record and its notices in one transaction, or none of them."""

    def __init__(self, database: Database, store: RequestStore, audit: Audit, notices: NoticeBoard) -> None:
        self._database = database
        self._store = store
        self._audit = audit
        self._notices = notices

    async def enter(self, transaction: Transaction, request: Request, asker: Actor) -> None:
        """Enter a new request, and tell who may review it.

        Raises:
            Conflict: ``already_pending``.
        """
        await self._store.add(transaction, request)
        await self._audit.append(transaction, _record("request.created", asker, request))
        await self._notices.request_created(transaction, request)

    async def move(
        self, transaction: Transaction, request: Request, event: Event, actor: Actor, **changes: Any
    ) -> Request:
        """Let ``event`` happen to the request as it was read; ``changes`` are further fields that it sets.

        Raises:
            Conflict: ``already_decided`` or ``expired``: it may not happen, or somebody was faster.
        """
        moved = replace(request, status=advance(request.status, event), **changes)
        if not await self._store.exchange(transaction, request, moved):
            raise closed(await self._store.get(transaction, request.kind, request.id) or request)
        await self._audit.append(transaction, _record(_AUDIT_NAMES[event], actor, moved))
        if event in {Event.APPROVE, Event.DENY}:
            await self._notices.request_decided(transaction, moved)
        return moved

    async def expire(self, transaction: Transaction, request: Request) -> Request:
        """Move a lapsed request to where it belongs."""
        by_itself = system_actor(request.environment, request.tenant)
        return await self.move(transaction, request, Event.EXPIRE, by_itself)

    async def sweep(self, environment: str, tenant: str, now: datetime) -> None:
        """Expire everything in the tenant whose time is over at ``now``."""
        async with self._database.reading() as transaction:
            due = await self._store.lapsed(transaction, tenant, LIVE, now, limit=1)
        while due:
            async with self._database.transaction() as transaction:
                due = await self._store.lapsed(transaction, tenant, LIVE, now, limit=SWEEP)
                for request in due:
                    await self.expire(transaction, request)


def _record(event: str, actor: Actor, request: Request) -> AuditEvent:
    """What is remembered of a transition: enough to read the story from the log alone."""
    body: dict[str, Any] = {
        "request": request.id,
        "kind": request.kind.value,
        "user": request.user,
        "resource": str(request.resource),
        "arguments": dict(request.arguments),
        "reason": request.reason,
    }
    if request.kind is RequestKind.ACCESS_REQUEST:
        body["role"] = request.role
    else:
        body["operation"] = request.operation
    if request.expires_at is not None:
        body["expires_at"] = request.expires_at.isoformat()
    if request.decided_by is not None:
        body |= {"decided_by": request.decided_by, "comment": request.comment}
    return AuditEvent(event, actor, body)

"""The register of requests: the one place where a request comes to be or changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from permit_core.approvals.elsewhere import Elsewhere, Nowhere
from permit_core.approvals.lifecycle import LAPSING, LIVE, Event, advance, closed
from permit_core.database import Database, Transaction
from permit_core.identity import Actor, system_actor
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Request, RequestStatus
from permit_core.stores.requests import RequestStore

SWEEP = 100
"""How many lapsed requests one look at a list moves to expired; the next look goes on."""


class Told(Protocol):
    """Who sees to it that people are told of requests."""

    async def request_created(self, transaction: Transaction, request: Request) -> None:
        """Note, in the transaction that makes the request, that people are to be told."""
        ...

    async def request_decided(self, transaction: Transaction, request: Request) -> None:
        """Tell the asker."""
        ...


class Register:
    """Makes and moves requests: the row, its audit record and its notices in one transaction, or none of them.

    Args:
        database: where the requests are.
        store: the requests.
        audit: where each step is recorded.
        notices: who is told.
        elsewhere: a place that has requests as well, is told of each step, and may refuse it.
    """

    def __init__(
        self,
        database: Database,
        store: RequestStore,
        audit: Audit,
        notices: Told,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.elsewhere: Elsewhere = elsewhere or Nowhere()
        self._database = database
        self._store = store
        self._audit = audit
        self._notices = notices

    async def enter(self, transaction: Transaction, request: Request, asker: Actor) -> None:
        """Enter a new request, and see to it that those who may review it are told.

        Raises:
            Conflict: ``already_pending``.
            UserFacing: it is not taken elsewhere.
        """
        await self._enter(transaction, request, asker)
        await self.elsewhere.entered(transaction, request)

    async def adopt(self, transaction: Transaction, request: Request) -> None:
        """Enter a request that was made elsewhere, in its asker's name.

        Raises:
            Conflict: ``already_pending``.
        """
        asker = Actor(request.environment, request.tenant, request.user, request.user_name)
        await self._enter(transaction, request, asker)

    async def _enter(self, transaction: Transaction, request: Request, asker: Actor) -> None:
        await self._store.add(transaction, request)
        await self._audit.append(transaction, _record("request.created", asker, request))
        await self._notices.request_created(transaction, request)

    async def enter_executing(self, transaction: Transaction, request: Request, asker: Actor) -> None:
        """Enter a call that a standing yes covers, as it is about to be sent."""
        await self._store.add(transaction, request)
        await self._audit.append(transaction, _record("request.executing", asker, request))

    async def move(
        self, transaction: Transaction, request: Request, event: Event, actor: Actor, **changes: Any
    ) -> Request:
        """Let ``event`` happen to the request as it was read; ``changes`` are further fields that it sets.

        Raises:
            Conflict: ``already_decided`` or ``expired``: it may not happen, or somebody was faster.
            UserFacing: it is not taken elsewhere.
        """
        moved = await self.follow(transaction, request, event, actor, **changes)
        await self.elsewhere.moved(transaction, request, moved, event, actor)
        return moved

    async def follow(
        self, transaction: Transaction, request: Request, event: Event, actor: Actor, **changes: Any
    ) -> Request:
        """Let ``event`` happen as :meth:`move` does, and tell nobody elsewhere: it happened there."""
        moved = replace(request, status=advance(request.status, event), **changes)
        if not await self._store.exchange(transaction, request, moved):
            raise closed(await self._store.get(request.environment, transaction, request.kind, request.id) or request)
        if moved.called is not None and moved.status not in LIVE:
            await self._store.erase_arguments(transaction, request.id)
        record = _record(f"request.{moved.status.value}", actor, moved, event)
        await self._audit.append(transaction, record)
        if event in {Event.APPROVE, Event.DENY} and actor.user != request.user:
            await self._notices.request_decided(transaction, moved)
        return moved

    async def amend(self, transaction: Transaction, request: Request, actor: Actor, **changes: Any) -> Request:
        """Change fields of an undecided request: what a reviewer notes on it, or would give instead.

        Raises:
            Conflict: ``already_decided`` or ``expired``: somebody was faster.
            ConstraintViolated: the same is waited for already.
        """
        amended = replace(request, **changes)
        if request.status is not RequestStatus.PENDING or not await self._store.exchange(transaction, request, amended):
            raise closed(await self._store.get(request.environment, transaction, request.kind, request.id) or request)
        record = _record("request.amended", actor, amended)
        await self._audit.append(transaction, replace(record, body={**record.body, "comment": amended.comment}))
        return amended

    async def expire(self, transaction: Transaction, request: Request) -> Request:
        """Move a lapsed request to where it belongs."""
        by_itself = system_actor(request.environment, request.tenant)
        return await self.move(transaction, request, Event.EXPIRE, by_itself)

    async def sweep(self, environment: str, tenant: str, now: datetime) -> None:
        """Move a portion of what is over at ``now`` in the tenant to expired, what ended first before the rest.

        What is left is shown as expired all the same, see :func:`permit_core.approvals.lifecycle.as_of`.
        """
        async with self._database.reading() as transaction:
            due = await self._store.lapsed(environment, transaction, tenant, LAPSING, now, limit=1)
        if due:
            async with self._database.transaction(environment) as transaction:
                for request in await self._store.lapsed(environment, transaction, tenant, LAPSING, now, limit=SWEEP):
                    await self.expire(transaction, request)


def _record(name: str, actor: Actor, request: Request, event: Event | None = None) -> AuditEvent:
    """What is remembered of a transition: enough to read the story from the log alone."""
    body: dict[str, Any] = {
        "request": request.id,
        "kind": request.kind.value,
        "user": request.user,
        "resource": str(request.resource),
        "pinned": dict(request.pinned),
        "reason": request.reason,
    }
    if request.role is not None:
        body["role"] = request.role
    if request.operation is not None:
        body["operation"] = request.operation
    if request.called is not None:
        body |= {
            "tool": request.called.tool,
            "digest": request.called.digest,
            "definition": request.called.definition,
            "gate": request.called.gate,
            "acts_on": request.resource_name,
            "arguments": dict(request.called.arguments),
            "by": request.by.value,
        }
    for key, value in (("agent", request.agent), ("standing", request.standing)):
        if value is not None:
            body[key] = value
    if event is not None:
        body["event"] = event.value
    if request.expires_at is not None:
        body["expires_at"] = request.expires_at.isoformat()
    if request.decided_by is not None:
        body |= {"decided_by": request.decided_by, "comment": request.comment}
    if request.status is RequestStatus.EXECUTING and request.claimed_at is not None:
        body["claimed_at"] = request.claimed_at.isoformat()
    return AuditEvent(name, actor, body, request=request.id)

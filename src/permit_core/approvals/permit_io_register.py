"""The register when Permit.io has the requests as well: each step is taken here and there, or not at all.

A step is written here first, told Permit.io next, and committed last. What Permit.io refuses is thereby undone here; a
process that dies in between leaves Permit.io one step ahead, and the next look at the request follows it.
"""

from __future__ import annotations

from typing import Any

from permit_core.approvals.lifecycle import Event
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.register import Register
from permit_core.database import Database, Transaction
from permit_core.errors import Conflict, Forbidden
from permit_core.identity import Actor
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.reader import PermitReader, or_none
from permit_core.permit_io.requests import RemoteRequest, RemoteRequests, Verb
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.remote_requests import Owed, RemoteRequestStore
from permit_core.stores.requests import RequestStore

VERBS: dict[Event, Verb] = {Event.APPROVE: "approve", Event.DENY: "deny"}


class DecidedElsewhere(Conflict):
    """Permit.io says that the request is decided, which was not known here."""

    default_code = "already_decided"


class RemoteRegister(Register):
    """Makes and moves requests here and in Permit.io."""

    def __init__(
        self,
        database: Database,
        store: RequestStore,
        audit: Audit,
        notices: NoticeBoard,
        *,
        links: RemoteRequestStore,
        remote: RemoteRequests,
        reader: PermitReader,
    ) -> None:
        super().__init__(database, store, audit, notices)
        self._links = links
        self._remote = remote
        self._reader = reader

    async def enter(self, transaction: Transaction, request: Request, asker: Actor) -> None:
        """Enter a new request, make it in Permit.io, and tell who may review it.

        Raises:
            Conflict: ``already_pending``.
            PermitFault: Permit.io does not answer, or does not take it.
        """
        await super().enter(transaction, request, asker)
        if request.kind is RequestKind.CALL:  # Permit.io has nothing like it
            return
        remote_id = await self._left_over(transaction, request) or await self._remote.create(request)
        await self._links.tie(transaction, request.id, remote_id)

    async def adopt(self, transaction: Transaction, request: Request, remote_id: str) -> None:
        """Enter a request that somebody made in Permit.io itself."""
        asker = Actor(request.environment, request.tenant, request.user, request.user_name)
        await super().enter(transaction, request, asker)
        await self._links.tie(transaction, request.id, remote_id)

    async def move(
        self, transaction: Transaction, request: Request, event: Event, actor: Actor, **changes: Any
    ) -> Request:
        """Let ``event`` happen here and in Permit.io.

        Raises:
            Conflict: as of :meth:`permit_core.approvals.register.Register.move`; :class:`DecidedElsewhere`.
            Forbidden: ``not_a_reviewer``: Permit.io's own rules do not let this reviewer decide.
            PermitFault: Permit.io does not answer.
        """
        moved = await super().move(transaction, request, event, actor, **changes)
        remote_id = await self._links.remote_id(transaction, request.id)
        if remote_id is None:  # from the time before Permit.io was used
            return moved
        if event in VERBS:
            await self._decide(moved, VERBS[event], actor.user, remote_id)
            if event is Event.APPROVE and moved.role is not None:
                await self._audit.append(transaction, _given(moved, actor))
        elif event is Event.CANCEL:
            await self._withdraw(moved, remote_id)
        elif request.status is RequestStatus.PENDING:
            await self._links.owe(transaction, request.id, Owed.CANCEL)
        elif event is not Event.CLAIM and moved.status is not RequestStatus.APPROVED:
            await self._links.owe(transaction, request.id, Owed.TAKE_BACK)
        return moved

    async def follow(
        self, transaction: Transaction, request: Request, event: Event, actor: Actor, **changes: Any
    ) -> Request:
        """Let here what has happened in Permit.io already."""
        return await super().move(transaction, request, event, actor, **changes)

    async def _decide(self, request: Request, verb: Verb, reviewer: str, remote_id: str) -> None:
        try:
            await self._remote.decide(request.kind, reviewer, remote_id, verb, request.comment)
        except PermitFault as fault:
            if fault.status == 409:
                raise DecidedElsewhere("This request has been decided in Permit.io already.") from fault
            if fault.status == 404 and verb == "deny" and await self._is_gone(request, remote_id):
                return  # what it was about was deleted, and the request with it: there is nobody to be told
            if fault.status in {403, 404}:
                raise Forbidden(
                    "Permit.io does not let you decide this request.",
                    code="not_a_reviewer",
                    hint="A reviewer of Permit.io's element has to decide it.",
                ) from fault
            raise

    async def _withdraw(self, request: Request, remote_id: str) -> None:
        try:
            await self._remote.cancel(request.kind, request.user, remote_id)
        except PermitFault as fault:
            if fault.status == 409:
                raise DecidedElsewhere("This request has been decided in Permit.io already.") from fault
            if fault.status != 404:
                raise

    async def _is_gone(self, request: Request, remote_id: str) -> bool:
        """Whether not even its asker sees it."""
        return await or_none(self._remote.get(request.kind, request.user, remote_id)) is None

    async def _left_over(self, transaction: Transaction, request: Request) -> str | None:
        """The same request, made in Permit.io by a process that died before it was entered here."""
        waiting = await self._remote.pending(request.kind, request.user)
        same = [each for each in waiting if (each.resource, each.role) == (request.resource, request.role)]
        known = await self._links.known(transaction, [each.id for each in same])
        for each in same:
            if each.id not in known and await self._is_of(each, request.user):
                return each.id
        return None

    async def _is_of(self, remote: RemoteRequest, user: str) -> bool:
        found = await self._reader.person(remote.user_id)
        return found is not None and found[0].key == user


def _given(request: Request, reviewer: Actor) -> AuditEvent:
    """What is remembered of the role that Permit.io gives with its approval."""
    body = {"user": request.user, "role": request.role, "instance": str(request.resource)}
    return AuditEvent("role.assigned", reviewer, body)

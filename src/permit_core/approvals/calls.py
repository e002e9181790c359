"""Calls that wait for a yes: asked for once, sent at most once, and never again when nobody knows what became of them.

A remote effect cannot share our transaction. So a call is claimed before it is sent (``executing``, committed) and settled
after it: ``used`` when any answer came, ``approved`` again when it is certain that nothing was sent. What is found in
``executing`` with nobody left to settle it is ``unknown``.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from permit_core.access import ResourceRef
from permit_core.approvals.asking import check_room
from permit_core.approvals.claims import MISMATCH, holds_all, open_at, outcome
from permit_core.approvals.deciding import no_such_request
from permit_core.approvals.lifecycle import LIVE, Event, lapsed
from permit_core.approvals.pauses import check_pause
from permit_core.approvals.register import Register
from permit_core.approvals.runner import is_gone, this_runner
from permit_core.approvals.sealing import Seal
from permit_core.approvals.standing import StandingYeses
from permit_core.approvals.wording import NAME_CHARACTERS, checked_id, checked_reason
from permit_core.canonical import arguments_digest
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.errors import Conflict, Forbidden, NotFound, Unavailable
from permit_core.identity import Actor, system_actor
from permit_core.policy.judgement import Allow, Gate, Hold, Judgement, Refuse
from permit_core.policy.schema import PinOperator
from permit_core.ports.directory import Directory
from permit_core.ports.request import CalledTool, ConfirmedBy, Request, RequestKind, RequestStatus
from permit_core.redaction import masked, redact
from permit_core.stores.requests import RequestStore, Subject
from permit_core.views import plain

LONGEST_CALL = timedelta(minutes=15)
"""A call that is not settled after so long is taken for lost."""

MOST_RECOVERED = 100
"""How many lost calls one look finds."""

MOST_GATES = 2

NOTHING = ResourceRef("")
"""What a call of an open tool is judged about."""

Approved = Mapping[Gate, str]

JudgeAgain = Callable[[Transaction, Approved], Awaitable[Judgement]]
"""Judges the call by the policy and the facts of a transaction, given what is approved and by whose yes.

What an :class:`Allow` spends is written by it, in that transaction.
"""


class Outcome(StrEnum):
    """What became of a call that was claimed."""

    ANSWERED = "answered"  # any answer came, an error among them
    NOT_SENT = "not_sent"  # it is certain that nothing was sent
    LOST = "lost"  # it may have been sent, and no answer came


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool, as the tool would really get it.

    Attributes:
        tool: the tool's name.
        arguments: after validation, with defaults filled in; JSON values.
        definition: digest of the tool's definition, see :func:`permit_core.canonical.definition_digest`.
        resource: what it was judged about: the instance, or the type alone for what is not stored.
        acts_on: what it acts on, for people.
        attributes: those of the resource as they are stored now, of which the policy may pin some.
        hide: arguments that are secret.
        show: arguments that are shown whatever they are called.
    """

    tool: str
    arguments: Mapping[str, Any]
    definition: str
    resource: ResourceRef = NOTHING
    acts_on: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    hide: tuple[str, ...] = ()
    show: tuple[str, ...] = ()


class Calls:
    """Holds, claims and settles calls."""

    def __init__(
        self,
        *,
        database: Database,
        directory: Directory,
        store: RequestStore,
        register: Register,
        standing: StandingYeses,
        seal: Seal,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._directory = directory
        self._store = store
        self._register = register
        self._standing = standing
        self._seal = seal
        self._clock = clock
        self._new_id = new_id

    async def hold(self, actor: Actor, call: Call, hold: Hold, reason: str) -> Request:
        """As :meth:`ApprovalService.hold`."""
        reason = checked_reason(reason) if reason else ""
        if missing := sorted(hold.pinned.keys() - call.attributes.keys()):
            raise Conflict(
                f"This cannot be approved: {', '.join(missing)} is not known.",
                code="cannot_be_pinned",
                hint="Whoever keeps the data has to complete it.",
            )
        wanted = self._request(actor, call, hold, reason)
        async with self._database.transaction(actor.environment) as transaction:
            for earlier in await self._store.called(transaction, wanted, LIVE):
                if earlier.status in _BUSY:
                    raise _stands(earlier)
                if lapsed(earlier, wanted.created_at):
                    await self._register.expire(transaction, earlier)
                elif earlier.status is RequestStatus.PENDING or _serves(earlier, wanted, hold.pinned):
                    return earlier
            user = await self._directory.user(actor.environment, actor.user, transaction)
            if user is None:
                raise NotFound("There is no such user.", code="no_such_user", hint="Somebody known has to ask.")
            await check_room(self._store, transaction, wanted)
            await check_pause(self._store, transaction, wanted, hold.ask_again_after)
            request = replace(wanted, user_name=plain(user.name)[:NAME_CHARACTERS])
            await self._register.enter(transaction, request, actor)
            shown = masked(call.arguments, hide=call.hide, show=call.show)
            sealed = self._seal.close(request.id, call.arguments, shown)
            await self._store.hold_arguments(transaction, request.id, sealed)
        return request

    async def claim(
        self, actor: Actor, call: Call, judge_again: JudgeAgain, request_id: str | None
    ) -> tuple[Request, ...]:
        """As :meth:`ApprovalService.claim`."""
        await self.recover(actor.environment)
        async with self._database.transaction(actor.environment) as transaction:
            approved: dict[Gate, str] = {}
            found: dict[Gate, Request] = {}
            for _ in range(MOST_GATES + 1):
                judgement = await judge_again(transaction, approved)
                if isinstance(judgement, Refuse):
                    raise judgement.error()
                if isinstance(judgement, Allow):
                    return await self._begin(transaction, actor, [found[gate] for gate in judgement.uses])
                if judgement.kind in approved:
                    break
                request = await self._usable(transaction, actor, call, judgement, request_id)
                approved[judgement.kind], found[judgement.kind] = request.by.value, request
        raise Forbidden(MISMATCH[1], code=MISMATCH[0], hint="Ask again.")

    async def settle(self, actor: Actor, requests: Iterable[Request], what: Outcome) -> tuple[Request, ...]:
        """As :meth:`ApprovalService.settle`."""
        settled = []
        async with self._database.transaction(actor.environment) as transaction:
            for request in requests:
                latest = await self._store.find(request.environment, transaction, request.id) or request
                if latest.status is RequestStatus.EXECUTING and latest.claimed_at == request.claimed_at:
                    latest = await self._settle(transaction, actor, latest, what)
                settled.append(latest)
        return tuple(settled)

    async def held_arguments(self, actor: Actor, request_id: str) -> dict[str, Any]:
        """As :meth:`ApprovalService.held_arguments`."""
        checked_id(request_id)
        async with self._database.reading() as transaction:
            request = await self._store.find(actor.environment, transaction, request_id)
            if request is None or (request.tenant, request.user, request.agent) != (
                actor.tenant,
                actor.user,
                actor.agent,
            ):
                raise no_such_request()
            sealed = await self._store.held_arguments(transaction, request_id)
        if sealed is None:
            raise Conflict(
                "The arguments of this call are not kept any more.",
                code="already_decided",
                hint="Make the call anew.",
                status=request.status.value,
            )
        return self._seal.open(request_id, sealed).arguments

    async def shown_arguments(self, request: Request) -> Mapping[str, Any] | None:
        """As :meth:`permit_core.ports.approvals.Approvals.shown_arguments`, of a request that may be looked at."""
        async with self._database.reading() as transaction:
            sealed = await self._store.held_arguments(transaction, request.id)
        with suppress(Unavailable):
            return None if sealed is None else self._seal.open(request.id, sealed).shown
        return None

    async def recover(self, environment: str) -> int:
        """As :meth:`ApprovalService.recover`."""
        async with self._database.reading() as transaction:
            lost = [
                request
                for request in await self._store.executing(environment, transaction, MOST_RECOVERED)
                if self._lost(request)
            ]
        if not lost:
            return 0
        count = 0
        async with self._database.transaction(environment) as transaction:
            for request in lost:
                latest = await self._store.find(environment, transaction, request.id)
                if latest is not None and latest.status is RequestStatus.EXECUTING and self._lost(latest):
                    by_itself = system_actor(latest.environment, latest.tenant)
                    await self._register.move(transaction, latest, Event.LOSE, by_itself)
                    count += 1
        return count

    def _lost(self, request: Request) -> bool:
        """Whether nobody is left who would settle the call."""
        begun = request.claimed_at
        return begun is None or self._clock() - begun >= LONGEST_CALL or is_gone(request.runner)

    async def _begin(
        self, transaction: Transaction, actor: Actor, found: builtins.list[Request]
    ) -> tuple[Request, ...]:
        begun = {"claimed_at": self._clock(), "runner": this_runner()}
        claimed = []
        for request in found:
            if request.standing is not None:
                executing = replace(request, status=RequestStatus.EXECUTING, **begun)  # type: ignore[arg-type]
                await self._register.enter_executing(transaction, executing, actor)
                claimed.append(executing)
            else:
                claimed.append(await self._register.move(transaction, request, Event.CLAIM, actor, **begun))
        return tuple(claimed)

    async def _settle(self, transaction: Transaction, actor: Actor, request: Request, what: Outcome) -> Request:
        if what is Outcome.ANSWERED:
            return await self._register.move(transaction, request, Event.USE, actor, used_at=self._clock())
        if what is Outcome.LOST:
            return await self._register.move(transaction, request, Event.LOSE, actor)
        released = await self._register.move(transaction, request, Event.RELEASE, actor, claimed_at=None, runner=None)
        if released.standing is not None:  # the standing yes serves the next call again, in a row of its own
            return await self._register.move(transaction, released, Event.VOID, actor)
        return released

    async def _usable(
        self, transaction: Transaction, actor: Actor, call: Call, hold: Hold, request_id: str | None
    ) -> Request:
        """The yes that lets the call pass this gate.

        Raises:
            Forbidden: there is none, with what became of the last question.
        """
        now = self._clock()
        wanted = self._request(actor, call, hold, "")
        stored = _on_instance(hold)
        if stored is not None:
            asked = await self._store.about(
                actor.environment, transaction, actor.tenant, actor.user, stored, frozenset(RequestStatus)
            )
            asked = [request for request in asked if request.agent in {None, actor.agent}]
        else:
            asked = await self._store.called(transaction, wanted)
        if request_id is not None:
            asked = [request for request in asked if request.id == request_id]
        for request in asked:
            if open_at(request, now) and _serves(request, wanted, hold.pinned):
                return request
        standing = (
            None
            if request_id is not None
            else await self._standing.covering(transaction, wanted, call.arguments, tainted=hold.tainted)
        )
        if standing is not None:
            return standing
        raise _nothing_fits(asked, hold, now)

    def _request(self, actor: Actor, call: Call, hold: Hold, reason: str) -> Request:
        """The question that a hold asks, as it would be stored."""
        now = self._clock()
        shown = redact(dict(call.arguments), hide=call.hide, show=call.show)
        return Request(
            id=self._new_id(),
            kind=RequestKind.CALL,
            environment=actor.environment,
            tenant=actor.tenant,
            user=actor.user,
            user_name=plain(actor.name)[:NAME_CHARACTERS],
            resource=call.resource,
            resource_name=plain(call.acts_on or call.tool)[:NAME_CHARACTERS],
            reason=reason,
            status=RequestStatus.PENDING,
            created_at=now,
            operation=None if hold.check is None else hold.check.action,
            pinned={name: call.attributes[name] for name in hold.pinned if name in call.attributes},
            expires_at=now + hold.pending_expires,
            lasts=hold.approval_expires,
            agent=actor.agent,
            session=actor.session,
            review_action=hold.review_action or "",
            by=ConfirmedBy(hold.by),
            called=CalledTool(call.tool, arguments_digest(call.arguments), call.definition, hold.kind, shown),
        )


def _on_instance(hold: Hold) -> Subject | None:
    """The operation approval that a hold on an operation needs; None when the call itself is asked about."""
    if hold.kind != "operation" or hold.check is None or hold.check.resource.key is None:
        return None
    return Subject(RequestKind.OPERATION_APPROVAL, hold.check.resource, None, hold.check.action)


def _serves(request: Request, wanted: Request, pinned: Mapping[str, PinOperator]) -> bool:
    """Whether a yes to ``request`` is a yes to what is wanted now: to the same, as strictly, and as the policy pins it."""
    if request.by is not wanted.by or request.review_action not in {"", wanted.review_action}:
        return False
    if (
        request.called is not None
        and wanted.called is not None
        and request.called.definition != wanted.called.definition
    ):
        return False
    return holds_all(pinned, request.pinned, wanted.pinned)


def _nothing_fits(asked: builtins.list[Request], hold: Hold, now: datetime) -> Forbidden:
    """Why there is no yes, from what became of the questions so far, newest first."""
    details: dict[str, Any] = {"ask_for": [remedy.as_dict() for remedy in hold.ask_for]}
    last = asked[0] if asked else None
    by_status = {request.status: request for request in reversed(asked) if not lapsed(request, now)}
    for status in (*_BUSY, RequestStatus.PENDING):
        if status in by_status:
            return _stands(by_status[status])
    if RequestStatus.APPROVED in by_status:
        return Forbidden(MISMATCH[1], code=MISMATCH[0], hint="Ask again.", **details)
    code, message = outcome(last)
    if last is not None:
        details["request_id"] = last.id
    return Forbidden(message, code=code, hint="Ask for a yes to this call.", **details)


_BUSY = (RequestStatus.UNKNOWN, RequestStatus.EXECUTING)
"""What keeps the very same call from being made, and from being asked for, once more."""

_STANDS = {
    RequestStatus.UNKNOWN: (
        "outcome_unknown",
        "This very call was begun before, and whether it was made is not known.",
        "A reviewer has to find out and settle it; until then it is not made again.",
    ),
    RequestStatus.EXECUTING: ("approval_in_use", "This very call is being made.", "Wait for its answer."),
    RequestStatus.PENDING: ("approval_pending", "This waits for a yes.", "Try again when it is approved."),
}


def _stands(request: Request) -> Forbidden:
    code, message, hint = _STANDS[request.status]
    return Forbidden(message, code=code, hint=hint, request_id=request.id)

"""The approval service: the one door to asking, looking, deciding and using."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from permit_core.access import Check, Decision, ResourceRef
from permit_core.approvals.asking import Asking, FactsAbout
from permit_core.approvals.calls import Call, Calls, JudgeAgain, Outcome
from permit_core.approvals.claims import Claims
from permit_core.approvals.deciding import Deciding, GrantingDirectory, Verb, no_such_request
from permit_core.approvals.elsewhere import DecidedElsewhere, Elsewhere
from permit_core.approvals.lifecycle import Event, as_of, lapsed
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.register import Register
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.sealing import Seal
from permit_core.approvals.standing import StandingYeses
from permit_core.approvals.wording import checked_filter, checked_id, new_request_id
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import ResourceInstance
from permit_core.errors import InvalidInput
from permit_core.identity import Actor
from permit_core.page import Page, page_offset
from permit_core.policy.judgement import Hold
from permit_core.ports.approvals import Via
from permit_core.ports.audit import Audit
from permit_core.ports.pdp import Pdp
from permit_core.ports.policy_source import PolicySource, one_version
from permit_core.ports.request import Kinds, Request, RequestFilter, RequestKind, RequestStatus, kinds_of
from permit_core.stores.requests import RequestStore, Reviewed, Subject, Visibility
from permit_core.stores.standing import StandingStore, StandingYes

MOST_SECONDS = 20
"""How long one can wait for a decision at once."""

POLL_SECONDS = 0.25
"""How often a decision that another process may make is looked for."""


class ApprovalService:
    """Implements :class:`permit_core.ports.approvals.Approvals`, and lets the trusted program use approvals up.

    Whatever is touched and past its time is moved to expired first, audited like every other transition.
    """

    def __init__(
        self,
        *,
        policies: PolicySource,
        database: Database,
        directory: GrantingDirectory,
        pdp: Pdp,
        audit: Audit,
        request_store: RequestStore,
        notices: NoticeBoard,
        clock: Clock,
        new_id: Callable[[], str] = new_request_id,
        facts_about: FactsAbout,
        seal: Seal,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._database = database
        self._store = request_store
        self._clock = clock
        self._notices = notices
        self._policies = policies
        self._reviewers = Reviewers(policies, pdp)
        self._register = Register(database, request_store, audit, notices, elsewhere)
        self._elsewhere = self._register.elsewhere
        self._asking = Asking(
            policies=policies,
            database=database,
            directory=directory,
            pdp=pdp,
            store=request_store,
            register=self._register,
            clock=clock,
            new_id=new_id,
            facts_about=facts_about,
        )
        self._deciding = Deciding(
            database=database,
            directory=directory,
            reviewers=self._reviewers,
            store=request_store,
            register=self._register,
            notices=notices,
            clock=clock,
        )
        self._claims = Claims(policies, database, request_store, self._register, clock)
        self._standing = StandingYeses(
            database=database,
            store=StandingStore(),
            requests=request_store,
            reviewers=self._reviewers,
            deciding=self._deciding,
            audit=audit,
            seal=seal,
            clock=clock,
        )
        self._calls = Calls(
            database=database,
            directory=directory,
            store=request_store,
            register=self._register,
            standing=self._standing,
            seal=seal,
            clock=clock,
            new_id=new_id,
        )

    async def ask_access(self, asker: Actor, resource: ResourceRef, role: str, reason: str) -> Request:
        """Ask for a role on an instance; see the port. Also ``too_many_pending`` (Conflict)."""
        await self._elsewhere.before_asking(
            self._register, asker, Subject(RequestKind.ACCESS_REQUEST, resource, role, None)
        )
        async with self._newest_policy(asker):
            request = await self._asking.access(asker, resource, role, reason)
        await self._notices.address()
        return request

    async def ask_operation(self, asker: Actor, resource: ResourceRef, operation: str, reason: str) -> Request:
        """Ask to do an operation once; see the port. Also ``too_many_pending``, ``cannot_be_pinned`` (Conflict)."""
        await self._elsewhere.before_asking(
            self._register, asker, Subject(RequestKind.OPERATION_APPROVAL, resource, None, operation)
        )
        async with self._newest_policy(asker):
            request = await self._asking.operation(asker, resource, operation, reason)
        await self._notices.address()
        return request

    async def get(self, viewer: Actor, kind: Kinds | None, request_id: str) -> Request:
        """One request that the viewer made or may review; see the port."""
        checked_id(request_id)
        await self._elsewhere.before_one(self._register, request_id)
        async with self._database.reading() as transaction:
            request = await self._store.find(viewer.environment, transaction, request_id)
            if request is None or request.tenant != viewer.tenant or request.kind not in kinds_of(kind):
                raise no_such_request()
            if request.user != viewer.user and not await self._reviewers.may_review(viewer, request, transaction):
                raise no_such_request()
        return await self._up_to_date(request)

    async def wait(self, viewer: Actor, request_id: str, seconds: float) -> Request:
        """One request once it is decided, or as it stands after so many seconds; see the port."""
        if not 0 <= seconds <= MOST_SECONDS:
            raise InvalidInput(
                f"One can wait 0 to {MOST_SECONDS} seconds.", code="invalid_wait", hint="Ask again afterwards."
            )
        request = await self.get(viewer, None, request_id)
        until = asyncio.get_running_loop().time() + seconds
        while request.status is RequestStatus.PENDING:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self._notices.next_decision(min(left, POLL_SECONDS))
            if await self._moved(request):
                request = await self.get(viewer, None, request_id)
        return request

    async def _moved(self, request: Request) -> bool:
        """Whether the request is not what it was; one row is read, and nobody's rights."""
        async with self._database.reading() as transaction:
            latest = await self._store.find(request.environment, transaction, request.id)
        return latest is None or latest.status is not request.status or lapsed(latest, self._clock())

    async def list(
        self, viewer: Actor, kind: Kinds, wanted: RequestFilter, page: int = 1, per_page: int = 30
    ) -> Page[Request]:
        """Requests the viewer made or may review, newest first; see the port. Also ``invalid_filter`` (InvalidInput).

        The decision point is asked once for the viewer and once for the approver of the filter, however many requests
        there are: about the different subjects among them.
        """
        page_offset(page, per_page)
        checked_filter(wanted)
        await self._elsewhere.before_list(self._register, viewer, kind)
        now = self._clock()
        await self._register.sweep(viewer.environment, viewer.tenant, now)
        await self._elsewhere.follow_up()
        async with self._database.reading() as transaction:
            reviewed = await self._store.reviewed(viewer.environment, transaction, viewer.tenant, kind, wanted, now)
            visibility = Visibility(
                viewer.user,
                await self._reviewers.reviewable(viewer, reviewed, transaction),
                await self._reviewed_by(wanted.approver, viewer, reviewed, transaction),
            )
            found = await self._store.page(
                viewer.environment,
                transaction,
                viewer.tenant,
                kind,
                wanted,
                visibility,
                now=now,
                page=page,
                per_page=per_page,
            )
        return replace(found, items=[as_of(request, now) for request in found.items])

    async def approve(
        self, reviewer: Actor, kind: Kinds, request_id: str, comment: str = "", *, via: Via = Via.TOOL
    ) -> Request:
        """Approve a pending request; see the port.

        Also ``no_such_instance`` (NotFound) when what it is about is gone, and ``may_not_ask`` (Conflict) when the
        policy would not let the asker ask any more.
        """
        return await self._decide(reviewer, kind, request_id, Event.APPROVE, comment, via)

    async def deny(
        self, reviewer: Actor, kind: Kinds, request_id: str, comment: str = "", *, via: Via = Via.TOOL
    ) -> Request:
        """Deny a pending request; see the port."""
        return await self._decide(reviewer, kind, request_id, Event.DENY, comment, via)

    async def _decide(
        self, reviewer: Actor, kind: Kinds, request_id: str, verb: Verb, comment: str, via: Via
    ) -> Request:
        checked_id(request_id)
        await self._elsewhere.before_one(self._register, request_id)
        async with self._newest_policy(reviewer):
            try:
                decided = await self._deciding.decide(reviewer, kind, request_id, verb, comment, via=via)
            except DecidedElsewhere:
                await self._elsewhere.before_one(self._register, request_id)
                decided = await self._deciding.decide(reviewer, kind, request_id, verb, comment, via=via)
        self._notices.decided()
        return decided

    @asynccontextmanager
    async def _newest_policy(self, actor: Actor) -> AsyncIterator[None]:
        """What is done within is judged and recorded by one policy, the newest there is."""
        version = await self._policies.renew(actor.environment)
        with one_version(self._policies, actor.environment, version):
            yield

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """Withdraw one's own pending request; see the port."""
        checked_id(request_id)
        await self._elsewhere.before_one(self._register, request_id)
        return await self._deciding.cancel(asker, kind, request_id)

    async def void(self, actor: Actor, kind: RequestKind, request_id: str, comment: str = "") -> Request:
        """Take back a yes that is not used yet; see the port."""
        return await self._deciding.void(actor, kind, request_id, comment)

    async def revoke_role(self, actor: Actor, user: str, role: str, resource: ResourceRef, comment: str = "") -> bool:
        """Take a role on an instance away; see the port."""
        return await self._deciding.revoke_role(actor, user, role, resource, comment)

    async def settle_unknown(self, reviewer: Actor, request_id: str, *, happened: bool, comment: str = "") -> Request:
        """Put on record what became of a call whose outcome is unknown; see the port."""
        return await self._deciding.settle_unknown(reviewer, request_id, happened=happened, comment=comment)

    # Calls

    async def hold(self, actor: Actor, call: Call, hold: Hold, reason: str = "") -> Request:
        """Store the question whether a call may be made; it waits for a yes then.

        The same call of the same user and agent at the same gate waits once: what waits, or is approved and not used,
        is given back. Its arguments are kept encrypted until it is settled; the record has their digest and what is
        shown of them.

        Args:
            actor: who makes the call.
            call: the call, as the tool would get it.
            hold: the judgement that holds it.
            reason: why it is wanted, in the caller's words; may be empty.

        Raises:
            InvalidInput: ``not_canonical``, ``invalid_reason``.
            NotFound: ``no_such_user``.
            Conflict: ``too_many_pending``.
            TooMany: ``asked_too_soon``: the same was denied a short time ago.
            Unavailable: ``no_key``: its arguments cannot be kept.
        """
        request = await self._calls.hold(actor, call, hold, reason)
        await self._notices.address()
        return request

    async def claim(
        self, actor: Actor, call: Call, judge_again: JudgeAgain, *, request_id: str | None = None
    ) -> tuple[Request, ...]:
        """Begin a call: judge it anew, and claim the yeses that it needs. Committed when it returns; then send it.

        A yes lets the call pass where the judgement of this moment holds it, and never where it refuses. It must be for
        exactly these arguments and this definition of the tool, given by whom the policy wants now, with what the policy
        pins as it was. A standing yes serves as well, but never a tainted call.

        Args:
            actor: who makes the call.
            call: the call, as the tool would get it.
            judge_again: judges it in a given transaction.
            request_id: this yes and no other.

        Returns:
            What is to be settled once the call has been made; empty when it needs no yes.

        Raises:
            UserFacing: the judgement's own refusal.
            Forbidden: ``approval_needed``, ``approval_pending``, ``approval_denied``, ``approval_expired``,
                ``approval_used``, ``approval_voided``, ``approval_mismatch``, ``approval_in_use`` or
                ``outcome_unknown``; with ``request_id`` where there is one, and ``ask_for``.
        """
        return await self._calls.claim(actor, call, judge_again, request_id)

    async def settle(self, actor: Actor, requests: Iterable[Request], outcome: Outcome) -> tuple[Request, ...]:
        """Put on record what became of a call that was claimed. Never refuses one that was settled meanwhile."""
        return await self._calls.settle(actor, requests, outcome)

    async def held_arguments(self, actor: Actor, request_id: str) -> dict[str, Any]:
        """The arguments of one's own call that waits or may be made, so that they need not be said again.

        Raises:
            NotFound: ``no_such_request``.
            Conflict: ``already_decided``: they are erased.
            Unavailable: ``arguments_unreadable``, ``no_key``.
        """
        return await self._calls.held_arguments(actor, request_id)

    async def shown_arguments(self, viewer: Actor, request: Request) -> Mapping[str, Any] | None:
        """The arguments of a call for whoever may look at its request; see the port."""
        if request.called is None:
            return None
        await self.get(viewer, request.kind, request.id)
        return await self._calls.shown_arguments(request)

    async def recover(self, environment: str) -> int:
        """Move calls of an environment that nobody is left to settle to ``unknown``.

        Their process died, or they took too long.

        Returns:
            How many.
        """
        return await self._calls.recover(environment)

    # Standing yeses

    async def give_standing(
        self,
        giver: Actor,
        request_id: str,
        shape: Mapping[str, Mapping[str, Any]],
        until: datetime,
        comment: str = "",
        *,
        via: Via = Via.TOOL,
    ) -> StandingYes:
        """Approve a call that waits, and with it every call of its shape by the same user and agent until a time.

        Args:
            giver: who may approve the call.
            request_id: the call that waits; the shape must cover it.
            shape: see :mod:`permit_core.approvals.shapes`.
            until: when it ends, at most seven days from now.
            comment: why.
            via: as of :meth:`approve`.

        Raises:
            InvalidInput: ``invalid_shape``, ``invalid_until``, ``invalid_comment``, ``invalid_id``.
            Conflict: ``not_standing``: each is to be confirmed at the client.
            UserFacing: as of :meth:`approve`.
        """
        given = await self._standing.give(giver, request_id, shape, until, comment, via=via)
        self._notices.decided()
        return given

    async def shape_for(
        self, viewer: Actor, request_id: str, limits: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Mapping[str, Any]]:
        """A shape for a call that waits: some arguments as ``limits`` says, and all others exactly as they are in it.

        Raises:
            InvalidInput: ``invalid_shape``: it does not cover the call, or an argument is secret; ``invalid_id``.
            NotFound: ``no_such_request``.
            Conflict: ``not_standing``: no call waits there.
            Unavailable: ``arguments_unreadable``, ``no_key``.
        """
        return await self._standing.shape_for(await self.get(viewer, None, request_id), limits)

    async def standing(self, viewer: Actor) -> builtins.list[StandingYes]:
        """The standing yeses that serve now: for the viewer, given by the viewer, or the viewer's to review."""
        return await self._standing.list(viewer)

    async def end_standing(self, actor: Actor, standing_id: str) -> bool:
        """End a standing yes; it serves no call that is claimed afterwards. False when it was ended before.

        Raises:
            NotFound: ``no_such_standing``: there is none, or it is not this actor's to end.
        """
        return await self._standing.end(actor, standing_id)

    # Effects in our own database

    async def use(
        self,
        check: Check,
        decision: Decision,
        instance: ResourceInstance,
        transaction: Transaction,
        *,
        request_id: str | None = None,
    ) -> Request:
        """Use up one approval of an operation whose effect is in our own database.

        Args:
            check: who is about to do what; on ``instance``.
            decision: the answer to ``check``, made in ``transaction``. An approval turns ``require_approval`` into a yes
                for once, and nothing else.
            instance: on what, as read in ``transaction``: what is pinned is compared with these attributes.
            transaction: the write transaction of what is done; both are committed or neither.
            request_id: this approval and no other.

        Returns:
            The request, used now. Its id belongs, under a unique constraint, into the row of what was done.

        Raises:
            ValueError: the check is about another instance.
            Forbidden: ``access_denied`` or the code of a decision point that does not answer, when the decision is no;
                ``approval_needed``, ``approval_pending`` (with ``request_id``), ``approval_expired``,
                ``approval_used``, ``approval_denied`` or ``approval_mismatch``; with ``ask_for`` where asking helps.
            Conflict: ``not_needed`` when it is allowed without; or somebody else used it between reading and writing.
        """
        return await self._claims.use(check, decision, instance, transaction, request_id)

    async def usable(
        self, user: Actor, operation: str, instance: ResourceInstance, transaction: Transaction | None = None
    ) -> Request | None:
        """The approval that :meth:`use` would use if the decision were ``require_approval``; None when there is none."""
        return await self._claims.usable(user, operation, instance, transaction)

    async def follow_up(self) -> None:
        """Do elsewhere what follows from what was committed here, as far as it can be done now."""
        await self._elsewhere.follow_up()

    async def _reviewed_by(
        self, approver: str | None, viewer: Actor, reviewed: builtins.list[Reviewed], transaction: Transaction
    ) -> frozenset[Reviewed]:
        if approver is None:
            return frozenset()
        return await self._reviewers.reviewable(
            Actor(viewer.environment, viewer.tenant, approver), reviewed, transaction
        )

    async def _up_to_date(self, request: Request) -> Request:
        """The request as it was read, or, when its time is over, moved to expired first."""
        if not lapsed(request, self._clock()):
            return request
        async with self._database.transaction(request.environment) as transaction:
            latest = await self._store.get(request.environment, transaction, request.kind, request.id) or request
            return await self._register.expire(transaction, latest) if lapsed(latest, self._clock()) else latest

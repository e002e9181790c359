"""Deciding a request: by somebody else than its asker, who may review it, while it is pending."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Protocol

from permit_core.access import ResourceRef
from permit_core.approvals.lifecycle import Event, as_of, closed, lapsed, verdict
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.register import Register
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.wording import NAME_CHARACTERS, checked_comment, checked_id, checked_instance
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import RoleAssignment
from permit_core.errors import Conflict, Forbidden, NotFound
from permit_core.identity import Actor
from permit_core.policy.model import AccessRequestRule, OperationRule
from permit_core.ports.approvals import Via
from permit_core.ports.directory import Directory
from permit_core.ports.request import ConfirmedBy, Kinds, Request, RequestKind, RequestStatus
from permit_core.stores.requests import RequestStore, Reviewed, Subject
from permit_core.views import plain

Verb = Literal[Event.APPROVE, Event.DENY]


class GrantingDirectory(Directory, Protocol):
    """A directory that can also give a role."""

    async def assign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Give the role, audited, in the given transaction; False when it was there already."""
        ...

    async def unassign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Take the role away, audited, in the given transaction; False when it was not there."""
        ...


class Deciding:
    """Approves, denies and withdraws requests, and takes back what was given."""

    def __init__(
        self,
        *,
        database: Database,
        directory: GrantingDirectory,
        reviewers: Reviewers,
        store: RequestStore,
        register: Register,
        notices: NoticeBoard,
        clock: Clock,
    ) -> None:
        self._database = database
        self._directory = directory
        self._reviewers = reviewers
        self._store = store
        self._register = register
        self._notices = notices
        self._clock = clock

    async def decide(
        self, reviewer: Actor, kind: Kinds, request_id: str, verb: Verb, comment: str, *, via: Via
    ) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.approve`, or ``deny``, by the verb."""
        checked_id(request_id)
        comment = checked_comment(comment)
        async with self._database.transaction(reviewer.environment) as transaction:
            now = self._clock()
            request = await self._for_review(reviewer, kind, request_id, via, transaction)
            if lapsed(request, now):
                request = await self._register.expire(transaction, request)
            if request.status is RequestStatus.PENDING:
                return await self._settle(transaction, request, reviewer, verb=verb, comment=comment, now=now)
        # Outside: that the request has lapsed is to be committed although the answer is an error.
        said_the_same = verdict(request) is verb and request.decided_by == reviewer.user and request.comment == comment
        if not said_the_same:
            raise closed(request)
        return request

    async def approve_call(
        self, transaction: Transaction, reviewer: Actor, request_id: str, comment: str, *, via: Via
    ) -> Request:
        """Approve a call that waits, in a transaction in which more follows from the yes.

        Raises:
            Forbidden, NotFound, Conflict: as of :meth:`decide`.
        """
        now = self._clock()
        request = await self._for_review(reviewer, RequestKind.CALL, request_id, via, transaction)
        if request.status is not RequestStatus.PENDING or lapsed(request, now):
            raise closed(as_of(request, now))
        return await self._settle(transaction, request, reviewer, verb=Event.APPROVE, comment=comment, now=now)

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.cancel`."""
        checked_id(request_id)
        async with self._database.transaction(asker.environment) as transaction:
            request = await self._store.get(asker.environment, transaction, kind, request_id)
            if request is None or not _is_of(request, asker):
                raise no_such_request()
            if lapsed(request, self._clock()):
                request = await self._register.expire(transaction, request)
            elif request.status is RequestStatus.PENDING:
                return await self._register.move(transaction, request, Event.CANCEL, asker)
        raise closed(request)

    async def void(self, actor: Actor, kind: RequestKind, request_id: str, comment: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.void`."""
        checked_id(request_id)
        comment = checked_comment(comment)
        async with self._database.transaction(actor.environment) as transaction:
            request = await self._store.get(actor.environment, transaction, kind, request_id)
            if request is None or request.tenant != actor.tenant:
                raise no_such_request()
            if not _is_of(request, actor) and not await self._reviewers.may_review(actor, request, transaction):
                raise no_such_request()
            if lapsed(request, self._clock()):
                request = await self._register.expire(transaction, request)
            elif request.status is RequestStatus.APPROVED:
                return await self._take_back(transaction, request, actor, comment)
            elif request.status is RequestStatus.PENDING:
                raise Conflict(
                    "This request is not decided yet.",
                    code="not_approved",
                    hint="It can be withdrawn or denied.",
                    status=request.status.value,
                )
        raise closed(request)

    async def revoke_role(self, actor: Actor, user: str, role: str, resource: ResourceRef, comment: str) -> bool:
        """As :meth:`permit_core.ports.approvals.Approvals.revoke_role`."""
        checked_instance(resource)
        comment = checked_comment(comment)
        subject = Subject(RequestKind.ACCESS_REQUEST, resource, role, None)
        async with self._database.transaction(actor.environment) as transaction:
            if not await self._reviewers.reviewable(actor, [Reviewed(subject, "")], transaction):
                raise Forbidden(
                    "You may not take this role away.",
                    code="not_a_reviewer",
                    hint="Whoever decides requests for it may.",
                )
            given = await self._store.about(
                actor.environment, transaction, actor.tenant, user, subject, {RequestStatus.APPROVED}
            )
            for request in given:
                await self._register.move(transaction, request, Event.VOID, actor, **_voided_by(comment))
            taken = RoleAssignment(user, role, actor.tenant, resource)
            return await self._directory.unassign(actor, taken, transaction) or bool(given)

    async def settle_unknown(self, reviewer: Actor, request_id: str, *, happened: bool, comment: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.settle_unknown`."""
        checked_id(request_id)
        comment = checked_comment(comment)
        async with self._database.transaction(reviewer.environment) as transaction:
            request = await self._store.find(reviewer.environment, transaction, request_id)
            if request is None or request.tenant != reviewer.tenant:
                raise no_such_request()
            if _is_of(request, reviewer) or reviewer.agent is not None:
                raise own_request()
            if not await self._reviewers.may_review(reviewer, request, transaction):
                raise no_such_request()
            if request.status is not RequestStatus.UNKNOWN:
                raise closed(request)
            event = Event.SETTLE_DONE if happened else Event.SETTLE_UNDONE
            used = {"used_at": request.claimed_at} if happened else {}
            return await self._register.move(transaction, request, event, reviewer, **used, **_voided_by(comment))

    async def _take_back(self, transaction: Transaction, request: Request, actor: Actor, comment: str) -> Request:
        voided = await self._register.move(transaction, request, Event.VOID, actor, **_voided_by(comment))
        if request.role is not None:
            taken = RoleAssignment(request.user, request.role, request.tenant, request.resource)
            await self._directory.unassign(actor, taken, transaction)
        return voided

    async def _for_review(
        self, reviewer: Actor, kind: Kinds, request_id: str, via: Via, transaction: Transaction
    ) -> Request:
        """The request, if this reviewer may decide it now."""
        request = await self._store.get(reviewer.environment, transaction, kind, request_id)
        if request is None or request.tenant != reviewer.tenant:
            raise no_such_request()
        if request.user == reviewer.user:
            if may_confirm_own(request, reviewer, via):
                return request
            raise own_request()
        if await self._reviewers.may_review(reviewer, request, transaction):
            return request
        knows_of_it = request.decided_by == reviewer.user or await self._notices.was_told(
            transaction, reviewer.user, request
        )
        if not knows_of_it:
            raise no_such_request()
        await self._still_there(request, transaction)
        raise Forbidden("You may not decide this request.", code="not_a_reviewer", hint="A reviewer has to decide it.")

    async def _settle(
        self,
        transaction: Transaction,
        request: Request,
        reviewer: Actor,
        *,
        verb: Verb,
        comment: str,
        now: datetime,
    ) -> Request:
        expires_at = request.expires_at
        if verb is Event.APPROVE:
            await self._still_there(request, transaction)
            expires_at = await self._approval_end(request, transaction, now)
        user = await self._directory.user(reviewer.environment, reviewer.user, transaction)
        decided = await self._register.move(
            transaction,
            request,
            verb,
            reviewer,
            decided_by=reviewer.user,
            decided_by_name=plain(user.name if user else reviewer.name)[:NAME_CHARACTERS],
            decided_at=now,
            comment=comment,
            expires_at=expires_at,
        )
        if verb is Event.APPROVE and decided.role is not None:
            given = RoleAssignment(decided.user, decided.role, decided.tenant, decided.resource, decided.expires_at)
            await self._directory.assign(reviewer, given, transaction=transaction)
        return decided

    async def _still_there(self, request: Request, transaction: Transaction) -> None:
        """Raise ``no_such_instance`` when what it is about is gone; a call may be about something that is not stored."""
        if request.kind is RequestKind.CALL and request.resource.key is None:
            return
        if await self._directory.instance(request.environment, request.tenant, request.resource, transaction) is None:
            raise NotFound(
                "What the request is about does not exist any more.", code="no_such_instance", hint="It can be denied."
            )

    async def _approval_end(self, request: Request, transaction: Transaction, now: datetime) -> datetime | None:
        """When a yes given now ends; None for never.

        Raises:
            Conflict: ``may_not_ask``: the policy would not let the asker ask for this any more.
        """
        if request.kind is RequestKind.CALL:  # what holds it is judged anew before it runs
            return now + (request.lasts or timedelta(0))
        rule = self._reviewers.rule(request.environment, Subject.of(request))
        if isinstance(rule, OperationRule):
            return end_of_yes(rule, request, now)
        if rule is not None:
            roles = await self._directory.tenant_roles(request.environment, request.tenant, request.user, transaction)
            if roles & rule.asked_by:
                return end_of_yes(rule, request, now)
        raise Conflict(
            "The asker may not ask for this any more.", code="may_not_ask", hint="The request can be denied."
        )


def end_of_yes(rule: AccessRequestRule | OperationRule, request: Request, decided_at: datetime) -> datetime | None:
    """When a yes ends: as soon as was said when it was asked, and no later than the policy says now; None for never."""
    by_rule = rule.approval_expires if isinstance(rule, OperationRule) else rule.granted_for
    lengths = [length for length in (by_rule, request.lasts) if length is not None]
    return decided_at + min(lengths) if lengths else None


def may_confirm_own(request: Request, actor: Actor, via: Via) -> bool:
    """Whether the one for whom a call was asked may confirm it himself, in this way. Never for anything but a call."""
    in_person = via is Via.PERSON and actor.agent is None
    if request.by is ConfirmedBy.SELF:
        return in_person
    return request.by is ConfirmedBy.IN_CLIENT and (in_person or via is Via.CLIENT)


def own_request() -> Forbidden:
    """The answer to whoever decides on what was asked in the own name."""
    return Forbidden("Nobody decides their own request.", code="own_request", hint="Somebody else has to decide it.")


def _is_of(request: Request, actor: Actor) -> bool:
    return (request.user, request.tenant) == (actor.user, actor.tenant)


def _voided_by(comment: str) -> dict[str, str]:
    """What a second thought changes: the comment, where there is one."""
    return {"comment": comment} if comment else {}


def no_such_request() -> NotFound:
    """The one answer for a request that is not there and for one that is not for these eyes."""
    return NotFound("There is no such request.", code="no_such_request", hint="Use an id from a list.")

"""Deciding a request: by somebody else than its asker, who may review it, while it is pending."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from permit_core.approvals.lifecycle import Event, closed, lapsed, verdict
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.register import Register
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.wording import NAME_CHARACTERS, checked_comment, checked_id
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import RoleAssignment
from permit_core.errors import Conflict, Forbidden, NotFound
from permit_core.identity import Actor
from permit_core.policy.model import PolicyModel
from permit_core.ports.directory import Directory
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.requests import RequestStore, Subject
from permit_core.views import plain

Verb = Literal[Event.APPROVE, Event.DENY]


class GrantingDirectory(Directory, Protocol):
    """A directory that can also give a role."""

    async def assign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Give the role, audited, in the given transaction; False when it was there already."""
        ...


class Deciding:
    """Approves, denies and withdraws requests."""

    def __init__(
        self,
        *,
        model: PolicyModel,
        database: Database,
        directory: GrantingDirectory,
        reviewers: Reviewers,
        store: RequestStore,
        register: Register,
        notices: NoticeBoard,
        clock: Clock,
    ) -> None:
        self._model = model
        self._database = database
        self._directory = directory
        self._reviewers = reviewers
        self._store = store
        self._register = register
        self._notices = notices
        self._clock = clock

    async def decide(self, reviewer: Actor, kind: RequestKind, request_id: str, verb: Verb, comment: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.approve`, or ``deny``, by the verb."""
        checked_id(request_id)
        comment = checked_comment(comment)
        async with self._database.transaction() as transaction:
            now = self._clock()
            request = await self._for_review(reviewer, kind, request_id, transaction)
            if lapsed(request, now):
                request = await self._register.expire(transaction, request)
            if request.status is RequestStatus.PENDING:
                return await self._settle(transaction, request, reviewer, verb=verb, comment=comment, now=now)
        # Outside: that the request has lapsed is to be committed although the answer is an error.
        said_the_same = verdict(request) is verb and request.decided_by == reviewer.user and request.comment == comment
        if not said_the_same:
            raise closed(request)
        return request

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.cancel`."""
        checked_id(request_id)
        async with self._database.transaction() as transaction:
            request = await self._store.get(transaction, kind, request_id)
            if request is None or (request.user, request.tenant) != (asker.user, asker.tenant):
                raise no_such_request()
            if lapsed(request, self._clock()):
                request = await self._register.expire(transaction, request)
            elif request.status is RequestStatus.PENDING:
                return await self._register.move(transaction, request, Event.CANCEL, asker)
        raise closed(request)

    async def _for_review(
        self, reviewer: Actor, kind: RequestKind, request_id: str, transaction: Transaction
    ) -> Request:
        """The request, if this reviewer may decide it now."""
        request = await self._store.get(transaction, kind, request_id)
        if request is None or request.tenant != reviewer.tenant:
            raise no_such_request()
        if request.user == reviewer.user:
            raise Forbidden(
                "Nobody decides their own request.", code="own_request", hint="Somebody else has to decide it."
            )
        subject = Subject.of(request)
        if subject in await self._reviewers.reviewable(reviewer, [subject], transaction):
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
        user = await self._directory.user(reviewer.user, transaction)
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
            given = RoleAssignment(decided.user, decided.role, decided.tenant, decided.resource)
            await self._directory.assign(reviewer, given, transaction=transaction)
        return decided

    async def _still_there(self, request: Request, transaction: Transaction) -> None:
        if await self._directory.instance(request.resource, request.tenant, transaction) is None:
            raise NotFound(
                "What the request is about does not exist any more.", code="no_such_instance", hint="It can be denied."
            )

    async def _approval_end(self, request: Request, transaction: Transaction, now: datetime) -> datetime | None:
        """When an approval given now would lapse; None for an access request, whose role stays.

        Raises:
            Conflict: ``may_not_ask``: the policy would not let the asker ask for this any more.
        """
        if request.operation is not None:
            rule = self._model.operation_rule(request.operation, request.resource.type)
            if rule is not None:
                return now + rule.approval_expires
        else:
            roles = await self._directory.tenant_roles(request.user, request.tenant, transaction)
            for access_rule in self._model.requestable_roles(request.resource.type):
                if access_rule.role == request.role and roles & access_rule.asked_by:
                    return None
        raise Conflict(
            "The asker may not ask for this any more.", code="may_not_ask", hint="The request can be denied."
        )


def no_such_request() -> NotFound:
    """The one answer for a request that is not there and for one that is not for these eyes."""
    return NotFound("There is no such request.", code="no_such_request", hint="Use an id from a list.")

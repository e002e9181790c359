"""Permit.io beside the register of requests: told of each step, and asked what became of what it has.

Permit.io keeps who asked for what and who decided, and gives the roles. Which operation, with which arguments, until when,
and whether it was used, is ours; so is the one transaction in which an approval is used up. A step is written here first,
told Permit.io next, and committed last. What Permit.io refuses is thereby undone here; a process that dies in between leaves
Permit.io one step ahead, and the next look at the request follows it. What is only to be tidied up there is noted with the
step (``remote_requests.owed``) and done afterwards, as often as it takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any

from permit_core.approvals.deciding import end_of_yes
from permit_core.approvals.elsewhere import DecidedElsewhere, Follower
from permit_core.approvals.lifecycle import Event
from permit_core.approvals.permit_io_adoption import Adoption, Remember
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.wording import NAME_CHARACTERS, REASON_CHARACTERS
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import User
from permit_core.errors import Forbidden, StoreError
from permit_core.identity import Actor, system_actor
from permit_core.permit_io.client import PermitClient, in_time
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.reader import PermitReader, or_none
from permit_core.permit_io.requests import RemoteRequest, RemoteRequests, Verb
from permit_core.permit_io.schema import APPROVED
from permit_core.ports.audit import Audit
from permit_core.ports.pdp import Pdp
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Kinds, Request, RequestKind, RequestStatus, kinds_of
from permit_core.stores.remote_requests import Owed, RemoteLink, RemoteRequestStore
from permit_core.stores.requests import RequestStore, Reviewed, Subject
from permit_core.views import plain

logger = logging.getLogger(__name__)

MOST_STANDING = 500
MOST_OWED = 50
AT_ONCE = 8

VERBS: dict[Event, Verb] = {Event.APPROVE: "approve", Event.DENY: "deny"}


class PermitRequests:
    """Implements :class:`permit_core.approvals.elsewhere.Elsewhere`. Calls are kept here alone: Permit.io has nothing like it.

    Args:
        policies: the policy in force.
        database: where it is kept which of our requests Permit.io has, and what is owed.
        pdp: decides who may review.
        audit: where roles are recorded that Permit.io gives and takes with a request.
        clock: the present moment, in UTC.
        client: the connection.
        reader: reads Permit.io's users and instances.
        remote: Permit.io's requests.
        note_people: keeps the names of people of Permit.io who asked there.
    """

    def __init__(
        self,
        *,
        policies: PolicySource,
        database: Database,
        pdp: Pdp,
        audit: Audit,
        clock: Clock,
        client: PermitClient,
        reader: PermitReader,
        remote: RemoteRequests,
        note_people: Remember,
    ) -> None:
        self._database = database
        self._store = RequestStore()
        self._audit = audit
        self._clock = clock
        self._client = client
        self._reader = reader
        self._remote = remote
        self._rights = Reviewers(policies, pdp)
        self._links = RemoteRequestStore()
        self._adoption = Adoption(
            policies=policies,
            database=database,
            store=self._store,
            links=self._links,
            reader=reader,
            environment=client.environment,
            tenant=client.tenant,
            note_people=note_people,
        )

    # What happens here

    async def entered(self, transaction: Transaction, request: Request) -> None:
        """Make it in Permit.io as well.

        Raises:
            PermitFault: Permit.io does not answer, or does not take it.
        """
        if request.kind is RequestKind.CALL:
            return
        async with in_time("asking"):
            remote_id = await self._left_over(transaction, request) or await self._remote.create(request)
        await self._links.tie(transaction, request.id, remote_id)

    async def moved(
        self, transaction: Transaction, before: Request, after: Request, event: Event, actor: Actor
    ) -> None:
        """Decide it or withdraw it in Permit.io as well, or note what is to be done there afterwards.

        Raises:
            DecidedElsewhere: it is decided there already.
            Forbidden: ``not_a_reviewer``: Permit.io's own rules do not let this reviewer decide.
            PermitFault: Permit.io does not answer.
        """
        remote_id = await self._links.remote_id(transaction, after.id)
        if remote_id is None:  # a call, or from the time before Permit.io was used
            return
        if event in VERBS:
            async with in_time("a decision"):
                await self._decide(after, VERBS[event], actor.user, remote_id)
            if event is Event.APPROVE and after.role is not None:
                await self._audit.append(transaction, _given(after, actor))
        elif event is Event.CANCEL:
            async with in_time("a withdrawal"):
                await self._withdraw(after, remote_id)
        elif before.status is RequestStatus.PENDING:
            await self._links.owe(transaction, after.id, Owed.CANCEL)
        elif event is not Event.CLAIM and after.status is not RequestStatus.APPROVED:
            await self._links.owe(transaction, after.id, Owed.TAKE_BACK)

    async def follow_up(self) -> None:
        """Do in Permit.io what is owed after what was done here; what cannot be done now stays owed."""
        try:
            async with self._database.reading() as transaction:
                owing = await self._links.owing(self._client.environment, transaction, MOST_OWED)
            for link in owing:
                await self._pay(link)
        except (PermitFault, StoreError) as fault:
            logger.warning("something stays owed to Permit.io, until the next time: %s", fault)

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
        """The same request, made in Permit.io by a process that died before it was entered here.

        One that is known here has lapsed here, or this could not be asked; what is owed for it is done now, for the same does
        not wait twice.
        """
        waiting = await self._remote.pending(request.kind, request.user)
        same = [each for each in waiting if (each.resource, each.role) == (request.resource, request.role)]
        known = await self._links.known(transaction, [each.id for each in same])
        for each in same:
            if await self._is_of(each, request.user):
                if each.id not in known:
                    return each.id
                await self._withdrawn(request, each.id)
        return None

    async def _is_of(self, remote: RemoteRequest, user: str) -> bool:
        found = await self._reader.person(remote.user_id)
        return found is not None and found[0].key == user

    # What is owed

    async def _pay(self, link: RemoteLink) -> None:
        take_back = link.owed is Owed.TAKE_BACK
        if link.owed is Owed.CANCEL:
            withdrawn = await self._withdrawn(link.request, link.remote_id)
            take_back = not withdrawn and link.request.operation is not None
        async with self._database.transaction(self._client.environment) as transaction:
            # Within the transaction: no other approval of the same comes to be in between.
            if take_back and (link.request.role is not None or not await self._needed(transaction, link.request)):
                await self._take_back(transaction, link.request)
            await self._links.owe(transaction, link.request.id, None)

    async def _withdrawn(self, request: Request, remote_id: str) -> bool:
        """Whether it could be withdrawn; otherwise somebody had decided it."""
        try:
            await self._remote.cancel(request.kind, request.user, remote_id)
        except PermitFault as fault:
            if fault.status not in {403, 404, 409}:
                raise
            return fault.status == 404
        return True

    async def _needed(self, transaction: Transaction, request: Request) -> bool:
        """Whether the role stands for another approval of the same user on the same instance."""
        approved = await self._links.standing(
            request.environment,
            transaction,
            request.tenant,
            RequestKind.OPERATION_APPROVAL,
            {RequestStatus.APPROVED},
            MOST_STANDING,
        )
        return any((each.request.user, each.request.resource) == (request.user, request.resource) for each in approved)

    async def _take_back(self, transaction: Transaction, request: Request) -> None:
        body = {
            "user": request.user,
            "role": request.role or APPROVED,
            "tenant": request.tenant,
            "resource_instance": str(request.resource),
        }
        await or_none(
            self._client.sdk("a used approval's role", lambda sdk: sdk.api.role_assignments.unassign(body), safe=True)
        )
        told = {
            "user": request.user,
            "role": request.role or APPROVED,
            "instance": str(request.resource),
            "request": request.id,
        }
        await self._audit.append(
            transaction, AuditEvent("role.unassigned", system_actor(request.environment, request.tenant), told)
        )

    # What happened in Permit.io

    async def before_one(self, register: Follower, request_id: str) -> None:
        """Follow what became of one request."""
        async with self._database.reading() as transaction:
            link = await self._links.of(self._client.environment, transaction, request_id)
        if link is not None and link.request.status is RequestStatus.PENDING:
            await self._catch_up(register, [link])

    async def before_asking(self, register: Follower, asker: Actor, subject: Subject) -> None:
        """Follow what became of what was asked before, and let go of an approval that was taken away there."""
        if subject.operation is not None:
            await self.follow_up()
        async with self._database.reading() as transaction:
            pending = await self._links_about(transaction, asker, subject, RequestStatus.PENDING)
            approved = await self._links_about(transaction, asker, subject, RequestStatus.APPROVED)
        await self._catch_up(register, pending)
        for link in approved if subject.operation is not None else ():
            if not await self.still_stands(link.request):
                await self._move(link.request, register.expire)

    async def before_use(
        self, register: Follower, user: Actor, subject: Subject, transaction: Transaction | None
    ) -> bool:
        """Follow what was decided of what the user asked about the subject."""
        if transaction is None:
            async with self._database.reading() as reading:
                pending = await self._links_about(reading, user, subject, RequestStatus.PENDING)
            return await self._catch_up(register, pending)
        followed = False
        async with in_time("the use of an approval"):
            for link in await self._links_about(transaction, user, subject, RequestStatus.PENDING):
                if (news := await self._news(link)) is not None:
                    await self._follow(register, transaction, link.request, *news)
                    followed = True
        return followed

    async def still_stands(self, request: Request) -> bool:
        """Whether Permit.io still gives the role that the approval is. Its API is asked: it knows at once."""
        if request.kind is RequestKind.CALL:
            return True
        found = await self._client.sdk(
            "an approval's role",
            lambda sdk: sdk.api.role_assignments.list(
                user_key=request.user,
                role_key=APPROVED,
                tenant_key=request.tenant,
                resource_instance_key=str(request.resource),
            ),
            safe=True,
        )
        return any(each.role == APPROVED and each.user == request.user for each in found)

    async def before_list(self, register: Follower, viewer: Actor, kind: Kinds) -> None:
        """Follow what a list could show: Permit.io is asked once for what waits, and what waits no more is read one by one."""
        for each in sorted(kinds_of(kind) - {RequestKind.CALL}):
            await self._catch_up_list(register, viewer, each)

    async def _catch_up_list(self, register: Follower, viewer: Actor, kind: RequestKind) -> None:
        waiting = await self._remote.pending(kind, viewer.user)
        async with self._database.reading() as transaction:
            standing = await self._links.standing(
                viewer.environment, transaction, viewer.tenant, kind, {RequestStatus.PENDING}, MOST_STANDING
            )
            known = await self._links.known(transaction, [each.id for each in waiting])
        still = {each.id for each in waiting}
        gone = [link for link in standing if link.remote_id not in still]
        others = {Reviewed.of(link.request) for link in gone if link.request.user != viewer.user}
        mine_to_review = await self._rights.reviewable(viewer, others) if others else frozenset()
        await self._catch_up(
            register,
            [link for link in gone if link.request.user == viewer.user or Reviewed.of(link.request) in mine_to_review],
        )
        if kind is RequestKind.ACCESS_REQUEST:  # the other kind says too little to be used here
            await self._adoption.adopt(register, [each for each in waiting if each.id not in known])

    async def _catch_up(self, register: Follower, links: Collection[RemoteLink]) -> bool:
        few = asyncio.Semaphore(AT_ONCE)

        async def news(link: RemoteLink) -> tuple[RemoteRequest, User | None] | None:
            async with few:
                return await self._news(link)

        moved = False
        for link, found in zip(links, await asyncio.gather(*(news(link) for link in links)), strict=True):
            if found is not None:
                moved = True
                await self._move(link.request, partial(self._follow, register, remote=found[0], reviewer=found[1]))
        return moved

    async def _news(self, link: RemoteLink) -> tuple[RemoteRequest, User | None] | None:
        """The request as Permit.io has it and who decided it; None while it waits there too, and when it is gone."""
        remote = await or_none(self._remote.get(link.request.kind, link.request.user, link.remote_id))
        if remote is None or remote.status == "pending":
            return None
        found = await self._reader.person(remote.reviewer_id)
        return remote, None if found is None else found[0]

    async def _move(self, request: Request, step: Callable[[Transaction, Request], Awaitable[Request]]) -> None:
        async with self._database.transaction(self._client.environment) as transaction:
            latest = await self._store.get(request.environment, transaction, request.kind, request.id)
            if latest is not None and latest.status is request.status:
                await step(transaction, latest)

    async def _follow(
        self,
        register: Follower,
        transaction: Transaction,
        request: Request,
        remote: RemoteRequest,
        reviewer: User | None,
    ) -> Request:
        """Let here what was decided in Permit.io."""
        if remote.status == "canceled":
            return await register.follow(transaction, request, Event.CANCEL, _somebody(request, request.user))
        decided_at = remote.reviewed_at or self._clock()
        changes: dict[str, Any] = {
            "decided_by": reviewer.key if reviewer else "unknown",
            "decided_by_name": plain(reviewer.name)[:NAME_CHARACTERS] if reviewer else "somebody in Permit.io",
            "decided_at": decided_at,
            "comment": plain(remote.comment)[:REASON_CHARACTERS],
        }
        by = _somebody(request, changes["decided_by"])
        if remote.status == "denied":
            return await register.follow(transaction, request, Event.DENY, by, **changes)
        rule = self._rights.rule(request.environment, Subject.of(request))
        expires_at = decided_at if request.operation is not None else None
        if rule is not None:
            expires_at = end_of_yes(rule, request, decided_at)
        return await register.follow(transaction, request, Event.APPROVE, by, **changes, expires_at=expires_at)

    async def _links_about(
        self, transaction: Transaction, user: Actor, subject: Subject, status: RequestStatus
    ) -> list[RemoteLink]:
        found = await self._links.standing(
            user.environment, transaction, user.tenant, subject.kind, {status}, MOST_STANDING
        )
        return [link for link in found if link.request.user == user.user and Subject.of(link.request) == subject]


def _somebody(request: Request, user: str) -> Actor:
    """A user of Permit.io, where the request was made."""
    return Actor(request.environment, request.tenant, user)


def _given(request: Request, reviewer: Actor) -> AuditEvent:
    """What is remembered of the role that Permit.io gives with its approval."""
    body = {"user": request.user, "role": request.role, "instance": str(request.resource)}
    return AuditEvent("role.assigned", reviewer, body)

"""Approvals through Permit.io: its requests and roles, and our ledger of what it has no field for.

Permit.io keeps who asked for what and who decided, and gives the roles. Which operation, with which arguments, until
when, and whether it was used, is ours; so is the one transaction in which an approval is used up.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import Any

from permit_core.access import Check, Decision, ResourceRef
from permit_core.approvals.deciding import end_of_yes
from permit_core.approvals.lifecycle import Event
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.permit_io_adoption import Adoption, Remember
from permit_core.approvals.permit_io_register import DecidedElsewhere, RemoteRegister
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.sealing import Seal
from permit_core.approvals.service import ApprovalService, new_request_id
from permit_core.approvals.wording import NAME_CHARACTERS, REASON_CHARACTERS, checked_id
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import ResourceInstance, User
from permit_core.errors import Forbidden, StoreError
from permit_core.identity import Actor, system_actor
from permit_core.page import Page
from permit_core.permit_io.client import PermitClient, in_time
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.reader import PermitReader, or_none
from permit_core.permit_io.requests import RemoteRequest, RemoteRequests
from permit_core.permit_io.schema import APPROVED
from permit_core.policy.facts import Facts
from permit_core.ports.approvals import Via
from permit_core.ports.audit import Audit
from permit_core.ports.directory import WritableDirectory
from permit_core.ports.pdp import Pdp
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Kinds, Request, RequestFilter, RequestKind, RequestStatus, kinds_of
from permit_core.stores.remote_requests import Owed, RemoteLink, RemoteRequestStore
from permit_core.stores.requests import RequestStore, Reviewed, Subject
from permit_core.views import plain

logger = logging.getLogger(__name__)

MOST_STANDING = 500
MOST_OWED = 50
AT_ONCE = 8


class PermitApprovals(ApprovalService):
    """The approval service with Permit.io behind it; the rules, the codes and the record are those of the base."""

    def __init__(
        self,
        *,
        policies: PolicySource,
        database: Database,
        directory: WritableDirectory,
        pdp: Pdp,
        audit: Audit,
        request_store: RequestStore,
        notices: NoticeBoard,
        clock: Clock,
        client: PermitClient,
        reader: PermitReader,
        remote: RemoteRequests,
        note_people: Remember,
        seal: Seal,
        new_id: Callable[[], str] = new_request_id,
    ) -> None:
        async def facts_about(actor: Actor, refs: Iterable[ResourceRef], _: Transaction) -> Facts:
            return await reader.facts_about(actor.user, refs)

        links = RemoteRequestStore()
        register = RemoteRegister(database, request_store, audit, notices, links=links, remote=remote, reader=reader)
        super().__init__(
            policies=policies,
            database=database,
            directory=directory,
            pdp=pdp,
            audit=audit,
            request_store=request_store,
            notices=notices,
            clock=clock,
            new_id=new_id,
            register=register,
            facts_about=facts_about,
            seal=seal,
        )
        self._directory = directory
        self._audit = audit
        self._followed = register
        self._rights = Reviewers(policies, pdp)
        self._client = client
        self._reader = reader
        self._remote = remote
        self._links = links
        self._adoption = Adoption(
            policies=policies,
            database=database,
            store=request_store,
            links=links,
            register=register,
            reader=reader,
            environment=client.environment,
            tenant=client.tenant,
            note_people=note_people,
            new_id=new_id,
        )

    async def ask_access(self, asker: Actor, resource: ResourceRef, role: str, reason: str) -> Request:
        """Ask for a role on an instance; see the base. Also ``permit_...`` (Unavailable)."""
        await self._catch_up_about(asker, Subject(RequestKind.ACCESS_REQUEST, resource, role, None))
        async with in_time("asking for access"):
            return await super().ask_access(asker, resource, role, reason)

    async def ask_operation(self, asker: Actor, resource: ResourceRef, operation: str, reason: str) -> Request:
        """Ask to do an operation once; see the base. Also ``permit_...`` (Unavailable)."""
        await self.follow_up()
        await self._catch_up_about(asker, Subject(RequestKind.OPERATION_APPROVAL, resource, None, operation))
        async with in_time("asking for an operation"):
            return await super().ask_operation(asker, resource, operation, reason)

    async def get(self, viewer: Actor, kind: Kinds | None, request_id: str) -> Request:
        """One request that the viewer made or may review; see the base."""
        await self._catch_up_one(request_id)
        return await super().get(viewer, kind, request_id)

    async def list(
        self, viewer: Actor, kind: Kinds, wanted: RequestFilter, page: int = 1, per_page: int = 30
    ) -> Page[Request]:
        """Requests the viewer made or may review, newest first; see the base.

        Permit.io is asked once for what waits; only what was decided there since is read one by one.
        """
        await self.follow_up()
        for each in sorted(kinds_of(kind) - {RequestKind.CALL}):  # Permit.io has nothing like a call
            await self._catch_up_list(viewer, each)
        return await super().list(viewer, kind, wanted, page, per_page)

    async def approve(
        self, reviewer: Actor, kind: Kinds, request_id: str, comment: str = "", *, via: Via = Via.TOOL
    ) -> Request:
        """Approve a pending request here and in Permit.io, which gives the role; see the base."""
        await self._catch_up_one(request_id)
        try:
            async with in_time("a decision"):
                return await super().approve(reviewer, kind, request_id, comment, via=via)
        except DecidedElsewhere:
            await self._catch_up_one(request_id)
            return await super().approve(reviewer, kind, request_id, comment, via=via)

    async def deny(
        self, reviewer: Actor, kind: Kinds, request_id: str, comment: str = "", *, via: Via = Via.TOOL
    ) -> Request:
        """Deny a pending request here and in Permit.io; see the base."""
        await self._catch_up_one(request_id)
        try:
            async with in_time("a decision"):
                return await super().deny(reviewer, kind, request_id, comment, via=via)
        except DecidedElsewhere:
            await self._catch_up_one(request_id)
            return await super().deny(reviewer, kind, request_id, comment, via=via)

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """Withdraw one's own pending request here and in Permit.io; see the base."""
        await self._catch_up_one(request_id)
        async with in_time("a withdrawal"):
            return await super().cancel(asker, kind, request_id)

    async def use(
        self,
        check: Check,
        decision: Decision,
        instance: ResourceInstance,
        transaction: Transaction,
        *,
        request_id: str | None = None,
    ) -> Request:
        """Use up one approval; see the base. It counts only while Permit.io still gives the role on the instance.

        Raises:
            Forbidden: as of the base, and ``approval_withdrawn``: the role was taken away in Permit.io.
        """
        user, operation = check.actor, check.action
        async with in_time("the use of an approval"):
            for link in await self._links_about(
                transaction, user, _subject(operation, instance), {RequestStatus.PENDING}
            ):
                news = await self._news(link)
                if news is not None:
                    await self._follow(transaction, link.request, *news)
            found = await super().usable(user, operation, instance, transaction)
            if found is not None and not await self._still_given(found):
                raise Forbidden(
                    "The approval was taken back in Permit.io.",
                    code="approval_withdrawn",
                    hint="Ask again.",
                    ask_for=[
                        {"kind": "operation_approval", "resource_instance": str(instance.ref), "operation": operation}
                    ],
                )
            return await super().use(check, decision, instance, transaction, request_id=request_id)

    async def usable(
        self, user: Actor, operation: str, instance: ResourceInstance, transaction: Transaction | None = None
    ) -> Request | None:
        """What :meth:`use` would use, left as it is; None when it would refuse."""
        if await self._catch_up_about(user, _subject(operation, instance), also_withdrawn=False):
            transaction = None  # it does not see what was written just now
        found = await super().usable(user, operation, instance, transaction)
        return found if found is not None and await self._still_given(found) else None

    async def follow_up(self) -> None:
        """Do in Permit.io what is owed after what was done here; what cannot be done now stays owed."""
        try:
            async with self._database.reading() as transaction:
                owing = await self._links.owing(self._client.environment, transaction, MOST_OWED)
            for link in owing:
                await self._pay(link)
        except (PermitFault, StoreError) as fault:
            logger.warning("something stays owed to Permit.io, until the next time: %s", fault)

    # What is owed

    async def _pay(self, link: RemoteLink) -> None:
        take_back = link.owed is Owed.TAKE_BACK
        if link.owed is Owed.CANCEL:
            take_back = not await self._cancelled(link) and link.request.operation is not None
        async with self._database.transaction(self._client.environment) as transaction:
            # Within the transaction: no other approval of the same comes to be in between.
            if take_back and (link.request.role is not None or not await self._needed(transaction, link.request)):
                await self._take_back(transaction, link.request)
            await self._links.owe(transaction, link.request.id, None)

    async def _cancelled(self, link: RemoteLink) -> bool:
        """Whether it could be withdrawn; otherwise somebody had decided it."""
        try:
            await self._remote.cancel(link.request.kind, link.request.user, link.remote_id)
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

    async def _catch_up_one(self, request_id: str) -> None:
        checked_id(request_id)
        async with self._database.reading() as transaction:
            link = await self._links.of(self._client.environment, transaction, request_id)
        if link is not None and link.request.status is RequestStatus.PENDING:
            await self._catch_up([link])

    async def _catch_up_about(self, user: Actor, subject: Subject, *, also_withdrawn: bool = True) -> bool:
        """Follow what became of what the user asked about one subject; whether anything did."""
        async with self._database.reading() as transaction:
            pending = await self._links_about(transaction, user, subject, {RequestStatus.PENDING})
            approved = await self._links_about(transaction, user, subject, {RequestStatus.APPROVED})
        moved = await self._catch_up(pending)
        for link in approved if also_withdrawn and subject.operation is not None else ():
            if not await self._still_given(link.request):
                await self._move(link.request, self._followed.expire)
        return moved

    async def _catch_up_list(self, viewer: Actor, kind: RequestKind) -> None:
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
            [link for link in gone if link.request.user == viewer.user or Reviewed.of(link.request) in mine_to_review]
        )
        if kind is RequestKind.ACCESS_REQUEST:  # the other kind says too little to be used here
            await self._adoption.adopt([each for each in waiting if each.id not in known])

    async def _catch_up(self, links: Collection[RemoteLink]) -> bool:
        few = asyncio.Semaphore(AT_ONCE)

        async def news(link: RemoteLink) -> tuple[RemoteRequest, User | None] | None:
            async with few:
                return await self._news(link)

        moved = False
        for link, found in zip(links, await asyncio.gather(*(news(link) for link in links)), strict=True):
            if found is not None:
                moved = True
                await self._move(link.request, partial(self._follow, remote=found[0], reviewer=found[1]))
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
        self, transaction: Transaction, request: Request, remote: RemoteRequest, reviewer: User | None
    ) -> Request:
        """Let here what was decided in Permit.io."""
        if remote.status == "canceled":
            return await self._followed.follow(transaction, request, Event.CANCEL, _somebody(request, request.user))
        decided_at = remote.reviewed_at or self._clock()
        changes: dict[str, Any] = {
            "decided_by": reviewer.key if reviewer else "unknown",
            "decided_by_name": plain(reviewer.name)[:NAME_CHARACTERS] if reviewer else "somebody in Permit.io",
            "decided_at": decided_at,
            "comment": plain(remote.comment)[:REASON_CHARACTERS],
        }
        by = _somebody(request, changes["decided_by"])
        if remote.status == "denied":
            return await self._followed.follow(transaction, request, Event.DENY, by, **changes)
        rule = self._rights.rule(request.environment, Subject.of(request))
        expires_at = decided_at if request.operation is not None else None
        if rule is not None:
            expires_at = end_of_yes(rule, request, decided_at)
        return await self._followed.follow(transaction, request, Event.APPROVE, by, **changes, expires_at=expires_at)

    async def _links_about(
        self, transaction: Transaction, user: Actor, subject: Subject, statuses: Collection[RequestStatus]
    ) -> builtins.list[RemoteLink]:
        found = await self._links.standing(
            user.environment, transaction, user.tenant, subject.kind, statuses, MOST_STANDING
        )
        return [link for link in found if link.request.user == user.user and Subject.of(link.request) == subject]

    async def _still_given(self, request: Request) -> bool:
        """Whether Permit.io still gives the role that the approval is. Its API is asked: it knows at once."""
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


def _somebody(request: Request, user: str) -> Actor:
    """A user of Permit.io, where the request was made."""
    return Actor(request.environment, request.tenant, user)


def _subject(operation: str, instance: ResourceInstance) -> Subject:
    return Subject(RequestKind.OPERATION_APPROVAL, instance.ref, None, operation)

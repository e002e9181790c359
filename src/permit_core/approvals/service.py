"""The approval service: the one door to asking, looking, deciding and using."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Callable

from permit_core.access import ResourceRef
from permit_core.approvals.asking import Asking, FactsAbout
from permit_core.approvals.claims import Claims
from permit_core.approvals.deciding import Deciding, GrantingDirectory, no_such_request
from permit_core.approvals.lifecycle import Event, lapsed
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.register import Register
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.wording import checked_filter, checked_id
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import ResourceInstance
from permit_core.identity import Actor
from permit_core.page import Page, page_offset
from permit_core.policy.model import PolicyModel
from permit_core.ports.audit import Audit
from permit_core.ports.pdp import Pdp
from permit_core.ports.request import Request, RequestFilter, RequestKind
from permit_core.stores.requests import RequestStore, Subject, Visibility


def new_request_id() -> str:
    """An unguessable id: 128 random bits."""
    return f"req_{secrets.token_hex(16)}"


class ApprovalService:
    """Implements :class:`permit_core.ports.approvals.Approvals`, and lets the trusted program use approvals up.

    Whatever is touched and past its time is moved to expired first, audited like every other transition.
    """

    def __init__(
        self,
        *,
        model: PolicyModel,
        database: Database,
        directory: GrantingDirectory,
        pdp: Pdp,
        audit: Audit,
        request_store: RequestStore,
        notices: NoticeBoard,
        clock: Clock,
        new_id: Callable[[], str] = new_request_id,
        register: Register | None = None,
        facts_about: FactsAbout | None = None,
    ) -> None:
        self._database = database
        self._store = request_store
        self._clock = clock
        self._reviewers = Reviewers(model, pdp)
        self._register = register or Register(database, request_store, audit, notices)
        self._asking = Asking(
            model=model,
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
            model=model,
            database=database,
            directory=directory,
            reviewers=self._reviewers,
            store=request_store,
            register=self._register,
            notices=notices,
            clock=clock,
        )
        self._claims = Claims(model, database, request_store, self._register, clock)

    async def ask_access(self, asker: Actor, resource: ResourceRef, role: str, reason: str) -> Request:
        """Ask for a role on an instance; see the port. Also ``too_many_pending`` (Conflict)."""
        return await self._asking.access(asker, resource, role, reason)

    async def ask_operation(self, asker: Actor, resource: ResourceRef, operation: str, reason: str) -> Request:
        """Ask to do an operation once; see the port. Also ``too_many_pending``, ``cannot_be_pinned`` (Conflict)."""
        return await self._asking.operation(asker, resource, operation, reason)

    async def get(self, viewer: Actor, kind: RequestKind, request_id: str) -> Request:
        """One request that the viewer made or may review; see the port."""
        checked_id(request_id)
        async with self._database.reading() as transaction:
            request = await self._store.get(transaction, kind, request_id)
            if request is None or request.tenant != viewer.tenant:
                raise no_such_request()
            subject = Subject.of(request)
            if request.user != viewer.user and subject not in await self._reviewers.reviewable(
                viewer, [subject], transaction
            ):
                raise no_such_request()
        return await self._up_to_date(request)

    async def list(
        self, viewer: Actor, kind: RequestKind, wanted: RequestFilter, page: int = 1, per_page: int = 30
    ) -> Page[Request]:
        """Requests the viewer made or may review, newest first; see the port. Also ``invalid_filter`` (InvalidInput).

        The decision point is asked once for the viewer and once for the approver of the filter, however many requests
        there are: about the different subjects among them.
        """
        page_offset(page, per_page)
        checked_filter(wanted)
        await self._register.sweep(viewer.environment, viewer.tenant, self._clock())
        async with self._database.reading() as transaction:
            subjects = await self._store.subjects(transaction, viewer.tenant, kind, wanted)
            visibility = Visibility(
                viewer.user,
                await self._reviewers.reviewable(viewer, subjects, transaction),
                await self._reviewed_by(wanted.approver, viewer, subjects, transaction),
            )
            return await self._store.page(
                transaction, viewer.tenant, kind, wanted, visibility, page=page, per_page=per_page
            )

    async def approve(self, reviewer: Actor, kind: RequestKind, request_id: str, comment: str = "") -> Request:
        """Approve a pending request; see the port.

        Also ``no_such_instance`` (NotFound) when what it is about is gone, and ``may_not_ask`` (Conflict) when the
        policy would not let the asker ask any more.
        """
        return await self._deciding.decide(reviewer, kind, request_id, Event.APPROVE, comment)

    async def deny(self, reviewer: Actor, kind: RequestKind, request_id: str, comment: str = "") -> Request:
        """Deny a pending request; see the port."""
        return await self._deciding.decide(reviewer, kind, request_id, Event.DENY, comment)

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """Withdraw one's own pending request; see the port."""
        return await self._deciding.cancel(asker, kind, request_id)

    async def use(self, user: Actor, operation: str, instance: ResourceInstance, transaction: Transaction) -> Request:
        """Use up one approval of this user for this operation on this instance as it is now.

        Args:
            user: who is about to do it.
            operation: what.
            instance: on what, as read in ``transaction``: what is pinned is compared with these attributes.
            transaction: the write transaction of what is done; both are committed or neither.

        Returns:
            The request, used now. Its id belongs, under a unique constraint, into the row of what was done.

        Raises:
            Forbidden: ``approval_needed``, ``approval_pending`` (with ``request_id``), ``approval_expired``,
                ``approval_used``, ``approval_denied`` or ``approval_mismatch``; with ``ask_for`` where asking helps.
            Conflict: somebody else used it between the reading and the writing.
        """
        return await self._claims.use(user, operation, instance, transaction)

    async def usable(
        self, user: Actor, operation: str, instance: ResourceInstance, transaction: Transaction | None = None
    ) -> Request | None:
        """What :meth:`use` would use, left as it is; None when it would refuse."""
        return await self._claims.usable(user, operation, instance, transaction)

    async def settle(self) -> None:
        """To be called once the transaction of :meth:`use` is committed; nothing here, for nothing is kept elsewhere."""

    async def _reviewed_by(
        self, approver: str | None, viewer: Actor, subjects: builtins.list[Subject], transaction: Transaction
    ) -> frozenset[Subject]:
        if approver is None:
            return frozenset()
        return await self._reviewers.reviewable(
            Actor(viewer.environment, viewer.tenant, approver), subjects, transaction
        )

    async def _up_to_date(self, request: Request) -> Request:
        """The request as it was read, or, when its time is over, moved to expired first."""
        if not lapsed(request, self._clock()):
            return request
        async with self._database.transaction() as transaction:
            latest = await self._store.get(transaction, request.kind, request.id) or request
            return await self._register.expire(transaction, latest) if lapsed(latest, self._clock()) else latest

"""Telling people: reviewers that something was asked, askers that it was decided."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from permit_core.approvals.lifecycle import lapsed
from permit_core.approvals.reviewers import Reviewers, Undecided
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.errors import StoreError
from permit_core.identity import Actor
from permit_core.policy.reverse import sources_of
from permit_core.ports.pdp import Pdp
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.request import ConfirmedBy, Request, RequestStatus
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.notices import SESSION, Notice, NoticeStore
from permit_core.stores.requests import Reviewed

logger = logging.getLogger(__name__)

BATCH = 500
"""How many notices one poll brings at most."""

TRY_AGAIN = timedelta(seconds=5)
"""How long a decision point that did not answer is left in peace."""


class NoticeBoard:
    """Notices are written in the transaction of what they tell of, and read by whoever serves the people.

    One poller in each server follows :meth:`after`; a session that begins asks :meth:`undelivered`. A notice can come
    on both ways: who shows them shows each id once, then calls :meth:`mark_delivered`.

    Args:
        policies: the policy of each environment.
        database: where the notices are.
        pdp: decides who may review.
        store: the notices.
        clock: the present moment, in UTC.
        facts: the facts that are decided on, where they are in our database; without them everybody is asked about.
        channels: the ways by which people are told; each notice is kept, and delivered, for each of them.
    """

    def __init__(
        self,
        environment: str,
        policies: PolicySource,
        database: Database,
        pdp: Pdp,
        store: NoticeStore,
        clock: Clock,
        *,
        facts: CurrentFacts | None = None,
        channels: Sequence[str] = (SESSION,),
    ) -> None:
        self._channels = channels
        self._environment = environment
        self._policies = policies
        self._facts = facts
        self._database = database
        self._reviewers = Reviewers(policies, pdp)
        self._store = store
        self._clock = clock
        self._decided = asyncio.Event()
        self._failed_at: datetime | None = None

    async def request_created(self, transaction: Transaction, request: Request) -> None:
        """Note, in the transaction that makes the request, that people are to be told; whom, is found out afterwards."""
        await self._store.announce(transaction, request.id, self._clock())

    async def request_decided(self, transaction: Transaction, request: Request) -> None:
        """Tell the asker."""
        await self._store.add(
            transaction, [request.user], "request_decided", request, channels=self._channels, now=self._clock()
        )

    async def address(self) -> None:
        """Find out who is to be told of new requests, and put their notices into the outbox.

        Whatever process does it first has done it for all. What cannot be found out now, because the decision point or
        the database does not answer, stays to be done.
        """
        if (last := self._failed_at) is not None and self._clock() - last < TRY_AGAIN:
            return
        try:
            async with self._database.reading() as transaction:
                announced = await self._store.announced(self._environment, transaction, BATCH)
            for request in announced:
                await self._address(request)
            self._failed_at = None
        except (Undecided, StoreError) as error:
            self._failed_at = self._clock()
            logger.warning("who is to be told of a request is not known yet: %s", error)

    async def _address(self, request: Request) -> None:
        recipients: list[str] = []
        if self._waiting(request):
            async with self._database.reading() as transaction:
                others = [user for user in await self._candidates(transaction, request) if user != request.user]
                recipients = await self._reviewers.of(request, others, transaction)
        if request.by is ConfirmedBy.SELF:
            recipients.append(request.user)
        async with self._database.transaction(self._environment) as transaction:
            if await self._store.take_announcement(transaction, request.id):
                await self._store.add(
                    transaction, recipients, "request_created", request, channels=self._channels, now=self._clock()
                )

    async def _candidates(self, transaction: Transaction, request: Request) -> list[str]:
        """Those who could be allowed to review: whoever holds a role that it can come from; each is decided on then."""
        action = self._reviewers.review_action(request.environment, Reviewed.of(request))
        if action is None:
            return []
        if self._facts is not None:
            facts = await self._facts.facts(request.environment, transaction)
            sources = sources_of(self._policies.current(request.environment).model, facts, action, request.resource)
            if not sources.anyone:
                return await self._store.holders(request.environment, transaction, request.tenant, sources.roles)
        return await self._store.possible_recipients(request.environment, transaction)

    def decided(self) -> None:
        """Wake those who wait in this process for a decision; to be called once one is committed."""
        self._decided.set()

    async def next_decision(self, seconds: float) -> None:
        """Wait until this process has decided some request, or so long."""
        self._decided.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._decided.wait()

    async def after(self, last_id: int) -> list[Notice]:
        """The next notices after ``last_id``, for all recipients, in order; rights are those of when they were written.

        At most ``BATCH`` at once: ask again with the last id until nothing comes.
        """
        await self.address()
        async with self._database.reading() as transaction:
            return await self._store.after(self._environment, transaction, last_id, BATCH)

    async def waiting(self, channel: str, limit: int = BATCH) -> list[Notice]:
        """What is still to be sent on a channel, for whomever, in order, at most ``limit``.

        Whoever sends it calls :meth:`mark_delivered` once it is out: what was sent by a process that died before is sent
        once more, and nothing is lost.
        """
        await self.address()
        async with self._database.reading() as transaction:
            return await self._store.waiting(self._environment, transaction, channel, limit)

    async def latest_id(self) -> int:
        """Where a new poller begins: the id of the newest notice, or 0."""
        async with self._database.reading() as transaction:
            return await self._store.latest_id(self._environment, transaction)

    async def undelivered(self, actor: Actor) -> list[Notice]:
        """What the user was not told yet and what is still true, in order.

        A request that waits for a decision is news only while it waits and while this user may review it. Whoever came
        to that right after the request was made is told now.
        """
        await self.address()
        async with self._database.reading() as transaction:
            newcomer = await self._untold(transaction, actor)
        if newcomer:
            async with self._database.transaction(self._environment) as transaction:
                for request in await self._untold(transaction, actor):
                    await self._store.add(transaction, [actor.user], "request_created", request, now=self._clock())
        async with self._database.reading() as transaction:
            notices = await self._store.undelivered(actor.environment, transaction, actor.user, actor.tenant)
            asked = {Reviewed.of(notice.request) for notice in notices if notice.event == "request_created"}
            reviewable = await self._reviewers.reviewable(actor, asked, transaction)
        return [
            notice
            for notice in notices
            if notice.event == "request_decided"
            or (self._waiting(notice.request) and self._concerns(actor, notice.request, reviewable))
        ]

    async def mark_delivered(self, ids: Collection[int]) -> None:
        """Note that these were shown; they are not undelivered any more."""
        if ids:
            async with self._database.transaction(self._environment) as transaction:
                await self._store.mark_delivered(self._environment, transaction, ids, self._clock())

    async def was_told(self, transaction: Transaction, user: str, request: Request) -> bool:
        """Whether the user has been, or is to be, told that the request was made."""
        return await self._store.was_told(request.environment, transaction, user, request.id)

    async def _untold(self, transaction: Transaction, actor: Actor) -> list[Request]:
        """Waiting requests that the user may review and was never told of."""
        untold = [
            request
            for request in await self._store.untold(actor.environment, transaction, actor.user, actor.tenant)
            if self._waiting(request)
        ]
        reviewable = await self._reviewers.reviewable(actor, {Reviewed.of(request) for request in untold}, transaction)
        return [request for request in untold if Reviewed.of(request) in reviewable]

    @staticmethod
    def _concerns(actor: Actor, request: Request, reviewable: Collection[Reviewed]) -> bool:
        if request.user == actor.user:
            return request.by is ConfirmedBy.SELF
        return Reviewed.of(request) in reviewable

    def _waiting(self, request: Request) -> bool:
        return request.status is RequestStatus.PENDING and not lapsed(request, self._clock())

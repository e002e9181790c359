"""Telling people: reviewers that something was asked, askers that it was decided."""

from __future__ import annotations

from collections.abc import Collection

from permit_core.approvals.lifecycle import lapsed
from permit_core.approvals.reviewers import Reviewers
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.identity import Actor
from permit_core.policy.model import PolicyModel
from permit_core.ports.pdp import Pdp
from permit_core.ports.request import Request, RequestStatus
from permit_core.stores.notices import Notice, NoticeStore
from permit_core.stores.requests import Subject

BATCH = 500
"""How many notices one poll brings at most."""


class NoticeBoard:
    """Notices are written in the transaction of what they tell of, and read by whoever serves the people.

    One poller in each server follows :meth:`after`; a session that begins asks :meth:`undelivered`. A notice can come
    on both ways: who shows them shows each id once, then calls :meth:`mark_delivered`.
    """

    def __init__(self, model: PolicyModel, database: Database, pdp: Pdp, store: NoticeStore, clock: Clock) -> None:
        self._database = database
        self._reviewers = Reviewers(model, pdp)
        self._store = store
        self._clock = clock

    async def request_created(self, transaction: Transaction, request: Request) -> None:
        """Tell everybody who may review the request, the asker aside."""
        others = [user for user in await self._store.possible_recipients(transaction) if user != request.user]
        reviewers = await self._reviewers.of(request, others, transaction)
        await self._store.add(transaction, reviewers, "request_created", request, self._clock())

    async def request_decided(self, transaction: Transaction, request: Request) -> None:
        """Tell the asker."""
        await self._store.add(transaction, [request.user], "request_decided", request, self._clock())

    async def after(self, last_id: int) -> list[Notice]:
        """The next notices after ``last_id``, for all recipients, in order; rights are those of when they were written.

        At most ``BATCH`` at once: ask again with the last id until nothing comes.
        """
        async with self._database.reading() as transaction:
            return await self._store.after(transaction, last_id, BATCH)

    async def latest_id(self) -> int:
        """Where a new poller begins: the id of the newest notice, or 0."""
        async with self._database.reading() as transaction:
            return await self._store.latest_id(transaction)

    async def undelivered(self, actor: Actor) -> list[Notice]:
        """What the user was not told yet and what is still true, in order.

        A request that waits for a decision is news only while it waits and while this user may review it. Whoever came
        to that right after the request was made is told now.
        """
        async with self._database.reading() as transaction:
            newcomer = await self._untold(transaction, actor)
        if newcomer:
            async with self._database.transaction() as transaction:
                for request in await self._untold(transaction, actor):
                    await self._store.add(transaction, [actor.user], "request_created", request, self._clock())
        async with self._database.reading() as transaction:
            notices = await self._store.undelivered(transaction, actor.user, actor.tenant)
            asked = {Subject.of(notice.request) for notice in notices if notice.event == "request_created"}
            reviewable = await self._reviewers.reviewable(actor, asked, transaction)
        return [
            notice
            for notice in notices
            if notice.event == "request_decided"
            or (self._waiting(notice.request) and Subject.of(notice.request) in reviewable)
        ]

    async def mark_delivered(self, ids: Collection[int]) -> None:
        """Note that these were shown; they are not undelivered any more."""
        if ids:
            async with self._database.transaction() as transaction:
                await self._store.mark_delivered(transaction, ids, self._clock())

    async def was_told(self, transaction: Transaction, user: str, request: Request) -> bool:
        """Whether the user has been, or is to be, told that the request was made."""
        return await self._store.was_told(transaction, user, request.id)

    async def _untold(self, transaction: Transaction, actor: Actor) -> list[Request]:
        """Waiting requests that the user may review and was never told of."""
        untold = [
            request
            for request in await self._store.untold(transaction, actor.user, actor.tenant)
            if self._waiting(request)
        ]
        subjects = {Subject.of(request) for request in untold}
        reviewable = await self._reviewers.reviewable(actor, subjects, transaction)
        return [request for request in untold if Subject.of(request) in reviewable]

    def _waiting(self, request: Request) -> bool:
        return request.status is RequestStatus.PENDING and not lapsed(request, self._clock())

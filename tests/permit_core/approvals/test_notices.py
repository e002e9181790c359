"""Who is told of what, when, and that it is told once."""

import asyncio

import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode
from permit_core.approvals.notices import NoticeBoard
from permit_core.identity import Actor
from permit_core.ports.request import RequestFilter, RequestStatus
from permit_core.stores.notices import SESSION, Notice, NoticeStore
from tests.support.clock import SteadyClock
from tests.support.core import TENANT
from tests.support.family import ACCESS, OPERATION, PIZZA_PALACE, REVIEWER, SUSHI_WORLD, Family, refused


def told(notices: list[Notice]) -> list[tuple[str, str]]:
    return [(notice.recipient, notice.event) for notice in notices]


async def test_all_reviewers_hear_of_a_request_and_the_asker_of_the_decision(each_family: Family) -> None:
    board = each_family.core.notices
    assert await board.latest_id() == 0
    request = await each_family.asks_access()
    created = await board.after(0)
    assert told(created) == [("1", "request_created"), ("2", "request_created")]
    assert all(notice.request == request and notice.tenant == TENANT for notice in created)
    last = await board.latest_id()
    assert last == created[-1].id
    decided = await each_family.core.approvals.deny(each_family.joe, ACCESS, request.id, "No")
    (notice,) = await board.after(last)
    assert told([notice]) == [("3", "request_decided")]
    assert notice.request == decided
    assert notice.created_at == each_family.clock()


async def test_the_asker_is_not_told_of_the_own_request_even_as_a_reviewer(family: Family) -> None:
    await family.gives(family.henry, REVIEWER, SUSHI_WORLD)
    await family.asks_access()
    assert told(await family.core.notices.after(0)) == [("1", "request_created"), ("2", "request_created")]


async def test_only_who_may_review_this_instance_hears_of_it(family: Family) -> None:
    await family.takes(family.jane, REVIEWER, PIZZA_PALACE)
    await family.gives(family.rose, REVIEWER, PIZZA_PALACE)
    await family.asks_operation()
    assert told(await family.core.notices.after(0)) == [("1", "request_created"), ("4", "request_created")]


async def test_withdrawing_using_and_expiring_tell_nobody(family: Family) -> None:
    withdrawn = await family.asks_access()
    await family.approved()
    last = await family.core.notices.latest_id()
    await family.core.approvals.cancel(family.henry, ACCESS, withdrawn.id)
    await family.use()
    await family.asks_access()
    created = await family.core.notices.latest_id()
    family.clock.advance(days=7)
    expired = RequestFilter(status=RequestStatus.EXPIRED)
    assert (await family.core.approvals.list(family.henry, ACCESS, expired)).total == 1
    assert told(await family.core.notices.after(last)) == [("1", "request_created"), ("2", "request_created")]
    assert await family.core.notices.latest_id() == created


async def test_who_was_away_hears_of_it_on_return_and_only_once(each_family: Family) -> None:
    family, board = each_family, each_family.core.notices
    request = await family.approved()
    (notice,) = await board.undelivered(Actor("default", TENANT, "3"))
    assert (notice.event, notice.request) == ("request_decided", request)
    assert [n.id for n in await board.undelivered(Actor("default", TENANT, "3"))] == [notice.id]
    await board.mark_delivered([notice.id])
    assert await board.undelivered(Actor("default", TENANT, "3")) == []
    await board.mark_delivered([notice.id])
    await board.mark_delivered([])


async def test_nobody_hears_what_is_meant_for_another_or_another_tenant(family: Family) -> None:
    await family.approved()
    assert await family.core.notices.undelivered(Actor("default", TENANT, "4")) == []
    assert await family.core.notices.undelivered(Actor("default", "elsewhere", "3")) == []


async def test_a_request_that_waits_no_more_is_no_news_to_a_reviewer(each_family: Family) -> None:
    family, board = each_family, each_family.core.notices
    access, _operation = await family.asks_access(), await family.asks_operation()
    assert len(await board.undelivered(Actor("default", TENANT, "2"))) == 2
    await family.core.approvals.approve(family.joe, ACCESS, access.id)
    assert [notice.request.kind for notice in await board.undelivered(Actor("default", TENANT, "2"))] == [OPERATION]
    family.clock.advance(days=1)
    assert await board.undelivered(Actor("default", TENANT, "2")) == []


async def test_who_lost_the_right_to_review_hears_nothing_more(family: Family) -> None:
    await family.asks_access()
    await family.takes(family.jane, REVIEWER, SUSHI_WORLD)
    assert await family.core.notices.undelivered(Actor("default", TENANT, "2")) == []
    await family.gives(family.jane, REVIEWER, SUSHI_WORLD)
    assert len(await family.core.notices.undelivered(Actor("default", TENANT, "2"))) == 1


async def test_who_becomes_a_reviewer_later_hears_of_what_still_waits(each_family: Family) -> None:
    family, board = each_family, each_family.core.notices
    waiting = await family.asks_access()
    decided = await family.asks_operation()
    await family.core.approvals.deny(family.joe, OPERATION, decided.id)
    assert await board.undelivered(Actor("default", TENANT, "4")) == []
    for place in (SUSHI_WORLD, PIZZA_PALACE):
        await family.gives(family.rose, REVIEWER, place)
    (notice,) = await board.undelivered(Actor("default", TENANT, "4"))
    assert (notice.event, notice.request) == ("request_created", waiting)
    assert [n.id for n in await board.undelivered(Actor("default", TENANT, "4"))] == [notice.id]
    await board.mark_delivered([notice.id])
    assert await board.undelivered(Actor("default", TENANT, "4")) == []


async def test_a_notice_shows_the_request_as_it_stands_now(family: Family) -> None:
    await family.approved()
    used = await family.use()
    (notice,) = await family.core.notices.undelivered(Actor("default", TENANT, "3"))
    assert notice.request == used
    assert used.status is RequestStatus.USED


async def test_a_refused_decision_tells_nobody(family: Family) -> None:
    request = await family.asks_access()
    last = await family.core.notices.latest_id()
    await refused(family.core.approvals.approve(family.henry, ACCESS, request.id))
    assert await family.core.notices.after(last) == []


async def test_a_process_that_dies_before_it_told_anybody_leaves_it_to_the_next(
    family: Family, second_process: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_: NoticeBoard) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(NoticeBoard, "address", dies)
        with pytest.raises(SystemExit):
            await family.asks_access()
    assert told(await second_process.core.notices.after(0)) == [("1", "request_created"), ("2", "request_created")]
    assert len(await family.core.notices.after(0)) == 2


async def test_a_decision_point_that_does_not_answer_delays_the_news_and_loses_none(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, kind = family.core.notices, type(family.core.pdp)

    async def away(_: object, checks: list[Check], _transaction: object = None) -> list[Decision]:
        return [Decision(Effect.DENY, ReasonCode.PDP_UNREACHABLE) for _ in checks]

    async def broken(*_: object) -> list[Decision]:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(NoticeBoard, "address", lambda _: asyncio.sleep(0))
        request = await family.asks_access()
    for fault in (away, broken):
        with monkeypatch.context() as patched:
            patched.setattr(kind, "decide_many", fault)
            await board.address()
            assert await board.after(0) == []
            family.clock.advance(seconds=5)
    assert [notice.request for notice in await board.after(0)] == [request, request]


async def test_a_request_that_is_over_before_anybody_was_found_is_no_news(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(NoticeBoard, "address", lambda _: asyncio.sleep(0))
        request = await family.asks_access()
        await family.core.approvals.cancel(family.henry, ACCESS, request.id)
    assert await family.core.notices.after(0) == []


async def test_a_poll_brings_notices_in_order_and_in_portions(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    board = family.core.notices
    await family.asks_access()
    await family.asks_operation()
    everything = await board.after(0)
    assert len(everything) == 4
    assert [notice.id for notice in everything] == sorted(notice.id for notice in everything)
    assert await board.after(everything[1].id) == everything[2:]
    assert await board.after(everything[-1].id) == []
    monkeypatch.setattr("permit_core.approvals.notices.BATCH", 3)
    assert await board.after(0) == everything[:3]


async def test_each_channel_is_served_for_itself_until_it_was_delivered(family: Family, clock: SteadyClock) -> None:
    core = family.core
    board = NoticeBoard(
        core.environment, core.policies, core.database, core.pdp, NoticeStore(), clock, channels=(SESSION, "mail")
    )
    family.core.approvals._register._notices = board
    family.core.approvals._notices = board
    request = await family.asks_access()
    mail = await board.waiting("mail")
    assert [(notice.recipient, notice.channel, notice.request) for notice in mail] == [
        ("1", "mail", request),
        ("2", "mail", request),
    ]
    assert await board.waiting("mail") == mail
    await board.mark_delivered([mail[0].id])
    assert await board.waiting("mail", 1) == mail[1:]
    assert told(await board.after(0)) == [("1", "request_created"), ("2", "request_created")]
    (joe,) = await board.undelivered(family.joe)
    assert joe.channel == SESSION


async def test_nobody_is_told_the_same_twice(family: Family, clock: SteadyClock) -> None:
    request = await family.asks_access()
    store = NoticeStore()
    async with family.core.database.transaction(family.core.environment) as transaction:
        await store.add(transaction, ["1", "4", "4"], "request_created", request, now=clock())
    assert [notice.recipient for notice in await family.core.notices.after(0)] == ["1", "2", "4"]

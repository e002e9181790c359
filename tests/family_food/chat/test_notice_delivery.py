"""A session tells a notice once, while somebody is there; what nobody has read is nobody's loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

import pytest

from family_food.chat.assistant import Assistant, Work
from family_food.chat.notice_delivery import NoticeDelivery
from family_food.chat.outgoing import Bookmark, Outgoing
from family_food.messages import Entry
from permit_core.access import ResourceRef
from permit_core.errors import NotFound
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.notices import Notice
from tests.support.chat_server import until

NOON = datetime(2026, 11, 22, tzinfo=UTC)
REQUEST = Request(
    id="req_1", kind=RequestKind.OPERATION_APPROVAL, environment="default", tenant="default", user="3", user_name="Henry", reason="hungry",
    resource=ResourceRef("dishes", "1"), resource_name="Pizza", status=RequestStatus.PENDING, created_at=NOON,
    operation="order",
)  # fmt: skip


def notice(number: int, event: Literal["request_created", "request_decided"] = "request_created") -> Notice:
    return Notice(number, "1", "default", event, REQUEST, NOON)


class Board:
    def __init__(self, *waiting: Notice) -> None:
        self.waiting = list(waiting)
        self.delivered: list[int] = []

    async def latest_id(self) -> int:
        return max((each.id for each in self.waiting), default=0)

    async def undelivered(self, actor: Actor) -> list[Notice]:
        return [each for each in self.waiting if each.id not in self.delivered]

    async def mark_delivered(self, ids: Collection[int]) -> None:
        self.delivered += ids


class Known:
    """In place of what was asked, and of the requests themselves."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.open: list[tuple[RequestKind, str]] = []
        self.requests: dict[str, Request] = {}

    async def where(self, request_id: str) -> str | None:
        return self.places.get(request_id)

    async def unanswered(self, conversation_id: str) -> list[tuple[RequestKind, str]]:
        return [each for each in self.open if self.places.get(each[1]) == conversation_id]

    async def get(self, viewer: Actor, kind: RequestKind, request_id: str) -> Request:
        if request_id not in self.requests:
            raise NotFound("There is no such request.", code="no_such_request")
        return self.requests[request_id]

    def asked(self, conversation_id: str, status: RequestStatus) -> None:
        """REQUEST was asked there, and stands like this now."""
        self.places[REQUEST.id] = conversation_id
        self.open = [(REQUEST.kind, REQUEST.id)]
        self.requests[REQUEST.id] = replace(REQUEST, status=status)


class Model:
    """In place of the assistant."""

    def __init__(self) -> None:
        self.work: list[Work] = []
        self.heard: list[Entry] = []

    def put(self, work: Work) -> None:
        self.work.append(work)

    def hear(self, entry: Entry) -> None:
        self.heard.append(entry)


class Stage:
    def __init__(self) -> None:
        self.board, self.known, self.model, self.outgoing = Board(), Known(), Model(), Outgoing()
        self.desk = NoticeDelivery(
            self.board,
            self.known,
            self.known,
            actor=Actor("default", "default", "1", "Joe"),
            conversation_id="chat_here",
            outgoing=self.outgoing,
            assistant=cast("Assistant", self.model),
        )

    def come(self) -> Bookmark:
        """A window comes, with no past."""
        mark = self.outgoing.attach(None, lambda: None)
        self.desk.look()
        return mark

    async def read(self, mark: Bookmark) -> None:
        async with asyncio.timeout(10):
            self.outgoing.wrote(mark, await self.outgoing.next(mark))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    running = asyncio.create_task(stage.desk.run())
    yield stage
    running.cancel()
    await asyncio.wait([running])


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_nothing_is_told_while_nobody_is_there(stage: Stage) -> None:
    stage.board.waiting = [notice(1)]
    stage.desk.notify(notice(1))
    stage.desk.look()
    await settled()
    assert (stage.outgoing.last, stage.board.delivered) == (0, [])
    mark = stage.come()
    await stage.read(mark)
    await until(lambda: stage.board.delivered == [1], "the delivery")


async def test_a_notice_that_comes_on_two_ways_is_told_once(stage: Stage) -> None:
    stage.board.waiting = [notice(1)]
    mark = stage.come()
    stage.desk.notify(notice(1))
    stage.desk.notify(notice(2))
    await stage.read(mark)
    await stage.read(mark)
    await until(lambda: stage.board.delivered == [1, 2], "the delivery")
    stage.desk.notify(notice(2))
    stage.desk.look()
    await settled()
    assert stage.outgoing.last == 2
    assert len(stage.model.heard) == 2


async def test_what_an_earlier_session_has_told_is_not_told_again_when_it_is_handed_on_late() -> None:
    stage = Stage()
    stage.board.waiting, stage.board.delivered = [notice(1)], [1]
    running = asyncio.create_task(stage.desk.run())
    mark = stage.come()
    stage.desk.notify(notice(1))
    stage.desk.notify(notice(2))
    await stage.read(mark)
    await until(lambda: stage.board.delivered == [1, 2], "the delivery")
    await settled()
    assert stage.outgoing.last == 1
    running.cancel()
    await asyncio.wait([running])


async def test_it_is_delivered_when_it_is_written_and_not_before(stage: Stage) -> None:
    mark = stage.come()
    stage.desk.notify(notice(1))
    await until(lambda: stage.outgoing.last == 1, "the frame")
    await settled()
    assert stage.board.delivered == []
    stage.outgoing.detach(mark)  # the connection is lost before
    again = stage.outgoing.attach(0, lambda: None)
    stage.desk.look()
    await stage.read(again)
    await until(lambda: stage.board.delivered == [1], "the delivery")
    await settled()
    assert stage.outgoing.last == 1, "it went out once"


async def test_what_a_window_had_no_use_for_is_told_again(stage: Stage) -> None:
    stage.board.waiting = [notice(1)]
    lost = stage.come()
    await until(lambda: stage.outgoing.last == 1, "the frame")
    stage.outgoing.detach(lost)
    mark = stage.come()
    await stage.read(mark)
    await until(lambda: stage.board.delivered == [1], "the delivery")
    assert stage.outgoing.last == 2


async def test_a_decision_counts_as_delivered_when_its_turn_is_in_the_database(stage: Stage) -> None:
    mark = stage.come()
    stage.desk.notify(notice(1, "request_decided"))
    await stage.read(mark)
    await until(lambda: len(stage.model.work) == 1, "the work")
    assert stage.board.delivered == []
    work = stage.model.work[0]
    assert (work.cause, cast("Any", work.entry).event) == ("event", "request_decided")
    assert work.begun is not None
    await work.begun()
    assert stage.board.delivered == [1]


async def test_a_decision_is_acted_on_where_its_request_was_asked(stage: Stage) -> None:
    stage.known.asked("chat_here", RequestStatus.PENDING)
    mark = stage.come()
    await settled()
    stage.desk.notify(notice(1, "request_decided"))
    await stage.read(mark)
    await until(lambda: len(stage.model.work) == 1, "the work")
    assert stage.model.work[0].wanted is not None
    assert await stage.model.work[0].wanted()
    assert (stage.model.heard, stage.board.delivered) == ([], [])


async def test_a_decision_on_what_another_conversation_asked_is_told_and_known_but_not_acted_on(stage: Stage) -> None:
    stage.known.asked("chat_elsewhere", RequestStatus.APPROVED)
    mark = stage.come()
    stage.desk.notify(notice(1, "request_decided"))
    await stage.read(mark)
    await until(lambda: len(stage.model.work) == 1, "the work")
    assert stage.model.work[0].wanted is not None
    assert not await stage.model.work[0].wanted()
    (heard,) = stage.model.heard
    assert cast("Any", heard).data["asked_here"] is False
    assert stage.board.delivered == [1]


async def test_what_was_decided_while_its_conversation_was_closed_is_acted_on_when_it_is_opened(stage: Stage) -> None:
    stage.known.asked("chat_here", RequestStatus.DENIED)
    stage.board.waiting, stage.board.delivered = [notice(1, "request_decided")], [1]  # another conversation took it
    mark = stage.come()
    await stage.read(mark)
    await until(lambda: len(stage.model.work) == 1, "the work")
    assert cast("Any", stage.model.work[0].entry).data["status"] == "denied"
    stage.come()
    await settled()
    assert (len(stage.model.work), stage.outgoing.last) == (1, 1), "once"


async def test_a_notice_that_comes_right_after_the_decision_was_found_is_not_told_again(stage: Stage) -> None:
    stage.known.asked("chat_here", RequestStatus.APPROVED)
    mark = stage.come()
    await stage.read(mark)
    await until(lambda: len(stage.model.work) == 1, "the work")
    stage.desk.notify(notice(1, "request_decided"))
    await until(lambda: stage.board.delivered == [1], "the delivery")
    assert (len(stage.model.work), stage.outgoing.last) == (1, 1)


async def test_what_was_used_or_has_lapsed_meanwhile_is_only_known(stage: Stage) -> None:
    stage.known.asked("chat_here", RequestStatus.USED)
    stage.come()
    await until(lambda: len(stage.model.heard) == 1, "the news")
    assert (stage.model.work, stage.outgoing.last) == ([], 0)


@pytest.mark.parametrize("status", [RequestStatus.PENDING, None])
async def test_what_still_waits_or_is_not_there_any_more_is_left_alone(
    stage: Stage, status: RequestStatus | None
) -> None:
    stage.known.asked("chat_here", status or RequestStatus.PENDING)
    if status is None:
        stage.known.requests.clear()
    stage.come()
    await settled()
    assert (stage.model.work, stage.model.heard, stage.outgoing.last) == ([], [], 0)

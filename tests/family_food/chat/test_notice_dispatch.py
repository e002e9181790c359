"""One poller tells all sessions; a database that fails for a while does not end it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from family_food.chat import notice_dispatch
from family_food.chat.notice_dispatch import NoticeDispatch
from permit_core.stores.notices import Notice
from tests.support.chat_server import until


class Board:
    """A notice board whose database can be out of order."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.broken = False

    def put(self, recipient: str) -> None:
        number = len(self.notices) + 1
        when = datetime(2026, 11, 22, tzinfo=UTC)
        self.notices.append(Notice(number, recipient, "default", "request_created", cast("Any", None), when))

    async def latest_id(self) -> int:
        return len(self.notices)

    async def after(self, last_id: int) -> list[Notice]:
        if self.broken:
            raise OSError("the database is out of order")
        return self.notices[last_id : last_id + 2]


class Window:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def notify(self, notice: Notice) -> None:
        self.heard.append(notice.id)


async def test_each_notice_goes_to_its_recipient_in_order_and_none_from_before() -> None:
    board, windows = Board(), {"1": Window(), "2": Window()}
    board.put("1")
    dispatch = NoticeDispatch(board, lambda user, tenant: [windows[user]])
    await dispatch.start()
    for recipient in ("1", "2", "1", "1", "2"):
        board.put(recipient)
    dispatch.wake()
    await until(lambda: windows["2"].heard == [3, 6], "the last notice")
    assert windows["1"].heard == [2, 4, 5]
    assert dispatch.running
    await dispatch.stop()
    assert not dispatch.running


async def test_a_board_that_cannot_be_read_is_read_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notice_dispatch, "_AFTER_FAILURE_SECONDS", 0.01)
    board, window = Board(), Window()
    board.broken = True
    dispatch = NoticeDispatch(board, lambda user, tenant: [window])
    await dispatch.start()
    await until(lambda: "cannot be read" in caplog.text, "the log line")
    board.broken = False
    board.put("1")
    await until(lambda: window.heard == [1], "the notice")
    assert dispatch.running
    await asyncio.sleep(0)
    await dispatch.stop()

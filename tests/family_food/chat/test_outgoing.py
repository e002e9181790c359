"""The numbered frames of a session: kept for a while, handed to one window at a time."""

from __future__ import annotations

import asyncio
import json

import pytest

from family_food.chat import outgoing as outgoing_module
from family_food.chat.frame_log import FrameLog
from family_food.chat.outgoing import Bookmark, Outgoing
from family_food.chat.protocol import HistoryUpdate, Status, TurnEnd, TurnStart


def nobody() -> None:
    raise AssertionError("given up")


async def written(outgoing: Outgoing, mark: Bookmark, number: int) -> list[int]:
    """What a window writes next."""
    found = []
    for _ in range(number):
        async with asyncio.timeout(5):
            frame = await outgoing.next(mark)
        assert json.loads(frame.text)["seq"] == frame.seq
        outgoing.wrote(mark, frame)
        found.append(frame.seq)
    return found


async def test_frames_are_numbered_and_come_in_order() -> None:
    outgoing = Outgoing()
    mark = outgoing.attach(None, nobody)
    for _ in range(3):
        await outgoing.send(Status())
    assert await written(outgoing, mark, 3) == [1, 2, 3]
    assert await outgoing.drained(mark, 5)


async def test_a_window_that_comes_back_gets_what_it_has_not_had_and_what_comes() -> None:
    outgoing = Outgoing()
    first = outgoing.attach(None, nobody)
    for _ in range(5):
        await outgoing.send(Status())
    assert await written(outgoing, first, 2) == [1, 2]
    outgoing.detach(first)
    second = outgoing.attach(2, nobody)
    assert not second.missed
    await outgoing.send(Status())
    assert await written(outgoing, second, 4) == [3, 4, 5, 6]


async def test_a_window_without_a_past_begins_with_the_turn_that_runs() -> None:
    outgoing = Outgoing()
    await outgoing.send(Status())
    assert outgoing.attach(None, nobody).seq == 1
    await outgoing.send(TurnStart(turn=7, cause="message"))
    await outgoing.send(Status())
    assert outgoing.turn == 7
    assert outgoing.attach(None, nobody).seq == 1
    await outgoing.send(TurnEnd(turn=7, outcome="completed"))
    assert outgoing.turn is None
    assert outgoing.attach(None, nobody).seq == 4


async def test_what_is_too_old_is_missed_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    outgoing = Outgoing()
    monkeypatch.setattr(outgoing, "_log", FrameLog(max_frames=10))
    for _ in range(25):
        await outgoing.send(Status())
    mark = outgoing.attach(3, nobody)
    assert (mark.missed, mark.seq) == (True, 15)
    assert await written(outgoing, mark, 10) == list(range(16, 26))
    assert not outgoing.attach(20, nobody).missed


async def test_the_log_is_bounded_in_bytes_but_never_forgets_what_a_window_has_not_written() -> None:
    log = FrameLog(max_bytes=1000)
    for number in range(50):
        log.add(Status(content="x" * 100), 0.0, unsent=3 if number > 5 else None)
    assert log.first == 4
    log.add(Status(), 0.0)
    assert log.first > 40
    assert log.add(Status(content="x" * 5000), 0.0).seq == 52
    assert log.after(51) is not None


async def test_a_client_of_an_earlier_life_is_one_without_a_past() -> None:
    outgoing = Outgoing()
    mark = outgoing.attach(137, nobody)
    assert (mark.seq, mark.missed) == (0, False)
    await outgoing.send(Status())
    assert await written(outgoing, mark, 1) == [1]


async def test_only_the_window_that_has_the_session_gets_frames() -> None:
    outgoing = Outgoing()
    first = outgoing.attach(None, nobody)
    waiting = asyncio.create_task(outgoing.next(first))
    await asyncio.sleep(0)
    second = outgoing.attach(None, nobody)
    await outgoing.send(Status())
    assert await written(outgoing, second, 1) == [1]
    await asyncio.sleep(0)
    assert not waiting.done()
    outgoing.detach(first)
    assert outgoing.shown, "the first one has nothing to take away"
    waiting.cancel()


async def test_a_window_that_does_not_read_slows_the_session_down_and_is_then_given_up() -> None:
    given_up = asyncio.Event()
    outgoing = Outgoing(slow_seconds=0.05)
    mark = outgoing.attach(None, given_up.set)
    for _ in range(outgoing_module.QUEUE_FRAMES):
        await outgoing.send(Status())
    assert not given_up.is_set()
    waiting = asyncio.create_task(outgoing.send(Status()))
    await asyncio.sleep(0)
    assert not waiting.done()
    await written(outgoing, mark, 1)
    await asyncio.wait_for(waiting, 5)
    await outgoing.send(Status())
    assert given_up.is_set()
    assert not outgoing.shown
    await outgoing.send(Status())  # nobody is there: nobody is waited for


async def test_nobody_is_waited_for_when_the_session_ends() -> None:
    outgoing = Outgoing()
    outgoing.attach(None, nobody)
    for _ in range(outgoing_module.QUEUE_FRAMES):
        await outgoing.send(Status())
    waiting = asyncio.create_task(outgoing.send(Status()))
    await asyncio.sleep(0)
    outgoing.hurry()
    await asyncio.wait_for(waiting, 5)


async def test_it_is_known_what_was_delivered_and_what_was_passed_over() -> None:
    outgoing = Outgoing()
    mark = outgoing.attach(None, nobody)
    one, two = await outgoing.send(Status()), await outgoing.send(Status())
    answers = [asyncio.create_task(outgoing.delivered(seq)) for seq in (one, two)]
    await written(outgoing, mark, 1)
    await asyncio.sleep(0)
    assert [task.done() for task in answers] == [True, False]
    outgoing.attach(None, nobody)  # no turn runs: it begins at the end
    assert [await task for task in answers] == [True, False]


async def test_a_copy_of_the_conversation_is_only_for_those_who_want_it() -> None:
    log = FrameLog()
    logged = log.add(HistoryUpdate(content=[{"role": "user", "parts": []}]), 0.0)
    assert json.loads(logged.told(0.0))["content"]
    assert json.loads(logged.told(0.0, history=False)) == {"seq": 1, "type": "history_update", "content": []}

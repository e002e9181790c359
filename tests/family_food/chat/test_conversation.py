"""The conversation: what models are shown of it, what clients are sent of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from family_food.chat.conversation import WINDOW_ENTRIES, Conversation
from family_food.chat.gemini_history import gemini_history
from family_food.chat.interruption import cancel_and_wait, uninterrupted
from family_food.messages import Entry, EventMessage, ModelStep, ToolCall, ToolResult, ToolResults, UserMessage
from tests.support.notebook import Notebook

CALL = ToolCall(id="c1", name="list_dishes", arguments={"restaurant_id": "1"})
RESULT = ToolResult(call_id="c1", name="list_dishes", content={"dishes": []})


class Broken(Notebook):
    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        raise OSError("the disk is full")


async def test_what_cannot_be_written_is_not_remembered() -> None:
    conversation = Conversation("chat_1", Broken())
    with pytest.raises(OSError, match="full"):
        await conversation.add(UserMessage(text="hi"))
    assert conversation.entries == ()


def test_a_long_conversation_is_shown_from_where_somebody_begins_to_speak() -> None:
    turn: list[Entry] = [
        UserMessage(text="hi"), ModelStep(calls=[CALL]), ToolResults(results=[RESULT]), ModelStep(text="Done."),
    ]  # fmt: skip
    window = Conversation("chat_1", Broken(), turn * 100).window()
    assert len(window) <= WINDOW_ENTRIES
    assert isinstance(window[0], UserMessage)
    short = Conversation("chat_1", Broken(), turn)
    assert list(short.window()) == turn


def test_a_turn_longer_than_the_window_is_shown_whole() -> None:
    steps: list[Entry] = [ModelStep(calls=[CALL]), ToolResults(results=[RESULT])]
    endless = Conversation("chat_1", Broken(), [UserMessage(text="hi"), *steps * WINDOW_ENTRIES])
    assert isinstance(endless.window()[0], UserMessage)


def test_a_client_s_copy_has_gemini_s_shape() -> None:
    entries: list[Entry] = [
        UserMessage(text="menu?"),
        ModelStep(text="Let me look.", calls=[CALL], provider="gemini:x", native=[{"thought_signature": "secret"}]),
        ToolResults(results=[RESULT]),
        ModelStep(text="There is none."),
        EventMessage(event="request_decided", data={"status": "approved"}),
    ]
    assert gemini_history(entries, 10_000) == [
        {"role": "user", "parts": [{"text": "menu?"}]},
        {"role": "model", "parts": [
            {"text": "Let me look."},
            {"function_call": {"id": "c1", "name": "list_dishes", "args": {"restaurant_id": "1"}}},
        ]},
        {"role": "user", "parts": [
            {"function_response": {"id": "c1", "name": "list_dishes", "response": {"dishes": []}}},
        ]},
        {"role": "model", "parts": [{"text": "There is none."}]},
        {"role": "user", "parts": [{"text": '[request_decided] {"status": "approved"}'}]},
    ]  # fmt: skip


def test_a_client_s_copy_has_a_bound_and_keeps_the_newest_turns_whole() -> None:
    entries: list[Entry] = []
    for number in range(50):
        entries += [UserMessage(text=f"question {number} " + "x" * 100), ModelStep(text=f"answer {number}")]
    kept = gemini_history(entries, 2000)
    assert len(json.dumps(kept)) <= 2200
    assert kept[0]["role"] == "user"
    assert kept[-1]["parts"] == [{"text": "answer 49"}]


async def test_what_must_not_be_half_done_is_finished_before_the_cancellation_goes_on() -> None:
    gate, done = asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append(1)

    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


async def test_what_fails_fails_for_whoever_waits() -> None:
    async def work() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await uninterrupted(work())
    await cancel_and_wait()

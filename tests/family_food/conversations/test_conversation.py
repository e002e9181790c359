"""The conversation: what models are shown of it, what clients are sent of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from family_food.chat.gemini_history import gemini_history
from family_food.chat.interruption import cancel_and_wait, uninterrupted
from family_food.conversations.conversation import Conversation
from family_food.conversations.stored_conversation import Interrupted, StoredConversation
from family_food.messages import Entry, EventMessage, ModelStep, Recap, ToolCall, ToolResult, ToolResults, UserMessage
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from tests.support.notebook import Notebook

CALL = ToolCall(id="c1", name="list_dishes", arguments={"restaurant_id": "1"})
RESULT = ToolResult(call_id="c1", name="list_dishes", content={"dishes": []})


class Broken(Notebook):
    """Nothing can be written to it."""

    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        raise OSError("the disk is full")


async def test_what_cannot_be_written_is_not_remembered() -> None:
    conversation = Conversation("chat_1", Broken())
    with pytest.raises(OSError, match="full"):
        await conversation.add(UserMessage(text="hi"))
    assert list(conversation.entries) == []


async def test_a_turn_goes_to_the_log_and_to_memory() -> None:
    log = Notebook()
    conversation = Conversation("chat_1", log)
    conversation.interrupted = Interrupted(turn=7, said="x")
    event = AuditEvent("turn.started", Actor("default", "", "3"))
    assert await conversation.begin_turn("message", "m1", [UserMessage(text="  Pizza,\nplease ")], [event]) == 1
    assert (conversation.title, conversation.message_ids) == ("Pizza, please", {"m1"})
    assert conversation.interrupted is None
    await conversation.add(ModelStep(calls=[CALL]))
    await conversation.add(ToolResults(results=[RESULT]))
    await conversation.end_turn(1, "completed", [ModelStep(text="Done.")], [event])
    assert log.entries == list(conversation.entries) == list(conversation.window())
    assert (log.turns, log.events) == ({1: "completed"}, [event, event])
    assert await conversation.begin_turn("event", None, [EventMessage(event="request_decided", data={})]) == 2
    assert conversation.title == "Pizza, please"


async def test_a_turn_that_cannot_be_begun_is_not_remembered() -> None:
    conversation = Conversation("chat_1", Broken())
    with pytest.raises(OSError, match="full"):
        await conversation.begin_turn("message", "m1", [UserMessage(text="hi")])
    assert (conversation.next_turn, conversation.message_ids, conversation.title) == (1, set(), "")


def test_a_stored_conversation_goes_on_where_it_was() -> None:
    cut = Interrupted(turn=4, said="x")
    stored = StoredConversation("chat_1", "Pizza", [UserMessage(text="hi")], 5, cut, frozenset({"m"}), [30])
    conversation = Conversation.of(stored, Notebook())
    assert (conversation.title, conversation.next_turn, conversation.interrupted) == ("Pizza", 5, cut)
    assert (conversation.message_ids, list(conversation.window())) == ({"m"}, [UserMessage(text="hi")])


def test_a_model_is_shown_as_much_as_there_is_room_for() -> None:
    turn: list[Entry] = [
        UserMessage(text="hi"), ModelStep(calls=[CALL]), ToolResults(results=[RESULT]), ModelStep(text="Done."),
    ]  # fmt: skip
    conversation = Conversation("chat_1", Broken(), turn * 100)
    assert list(conversation.window()) == turn * 100
    small = conversation.window(10_000)
    assert isinstance(small[0], Recap)
    assert isinstance(small[1], UserMessage)
    assert sum(len(entry.model_dump_json()) for entry in small) < 10_000


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

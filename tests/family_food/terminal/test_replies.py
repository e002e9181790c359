from __future__ import annotations

import asyncio

import pytest

from family_food.terminal import replies as module
from family_food.terminal.problem import ChatProblem
from family_food.terminal.replies import Replies


class Wire:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    async def send(self, **frame: object) -> None:
        self.sent.append(frame)


async def asked(replies: Replies, wire: Wire, what: str) -> asyncio.Task[object]:
    task: asyncio.Task[object] = asyncio.create_task(replies.ask(type="list", what=what))
    count = len(wire.sent)
    while len(wire.sent) == count:
        await asyncio.sleep(0)
    return task


async def test_each_question_gets_its_own_answer_in_any_order() -> None:
    wire = Wire()
    replies = Replies(wire.send)
    first, second = await asked(replies, wire, "orders"), await asked(replies, wire, "tools")
    names = [frame["id"] for frame in wire.sent]
    assert replies.take({"type": "listing", "reply_to": names[1], "items": [2]})
    assert replies.take({"type": "listing", "reply_to": names[0], "items": [1]})
    assert (await first)["items"] == [1]  # type: ignore[index]
    assert (await second)["items"] == [2]  # type: ignore[index]


async def test_a_refusal_is_told_with_its_hint() -> None:
    wire = Wire()
    replies = Replies(wire.send)
    task = await asked(replies, wire, "orders")
    replies.take({"type": "error", "reply_to": wire.sent[0]["id"], "content": "No.", "hint": "Ask \x1b[2Jlater."})
    with pytest.raises(ChatProblem, match=r"No\. Ask \[2Jlater\.") as told:
        await task
    assert "\x1b" not in told.value.sentence


async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.01)
    wire = Wire()
    replies = Replies(wire.send)
    with pytest.raises(ChatProblem, match="did not answer"):
        await replies.ask(type="list", what="orders")
    assert replies.take({"type": "listing", "reply_to": wire.sent[0]["id"]})  # late, and nobody's news


async def test_with_the_connection_the_answers_are_given_up() -> None:
    wire = Wire()
    replies = Replies(wire.send)
    task = await asked(replies, wire, "orders")
    replies.give_up("Lost.")
    with pytest.raises(ChatProblem, match="Lost"):
        await task


@pytest.mark.parametrize(
    "frame",
    [{"type": "text"}, {"type": "error", "reply_to": "m-1"}, {"type": "error", "reply_to": None}, {"reply_to": 3}],
)
def test_frames_nobody_asked_for_are_left_to_others(frame: dict[str, object]) -> None:
    assert not Replies(Wire().send).take(frame)

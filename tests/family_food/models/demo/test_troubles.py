from __future__ import annotations

from typing import Any

import pytest

from family_food.messages import ToolCall, ToolResult, UserMessage
from family_food.models.demo.asks import Trouble, answer_of
from family_food.models.demo.troubles import explain
from family_food.models.port import Prompt
from tests.support.family_chat import Chat, one_step
from tests.support.family_tools import Family

CODES = [
    "access_denied", "approval_denied", "approval_expired", "approval_mismatch", "approval_needed", "approval_pending",
    "approval_used", "ambiguous_dish", "no_such_dish", "wrong_restaurant", "forbidden_argument", "invalid_arguments",
    "internal_error", "tools_unavailable", "tool_unavailable", "tools_restarted", "tool_timeout", "tool_failed",
    "unknown_tool", "too_many_calls", "result_too_large", "cancelled", "something_new", "",
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("tool", ["list_resource_instances", "list_dishes", "order_dish"])
async def test_every_error_ends_the_turn_in_words_and_is_not_tried_again(
    henry: Chat, home: Family, code: str, tool: str
) -> None:
    home.failing[tool] = {"code": code, "message": "The stove is cold.", "hint": "Call list_dishes first."}
    text = await henry.say("order fries")
    assert text
    assert len(henry.called(tool)) == len({str(arguments) for arguments in henry.called(tool)})
    assert not home.orders
    assert "list_dishes" not in text
    if code not in ("unknown_tool", "not_confirmed"):
        assert "The stove is cold." in text


async def test_an_order_whose_answer_was_lost_is_not_repeated_blindly(henry: Chat, home: Family) -> None:
    home.failing["order_dish"] = {"code": "tool_timeout", "message": "The tool took too long."}
    text = await henry.say("order fries")
    assert 'Look at "my orders" before you order again' in text


async def test_too_many_open_requests_are_explained(henry: Chat, home: Family) -> None:
    home.failing["create_operation_approval"] = {
        "code": "too_many_pending",
        "message": "You have 20 open requests.",
        "hint": "Wait until some are decided.",
    }
    text = await henry.say("order the deluxe burger because I got an A")
    assert text == "You have 20 open requests. Wait until some are decided."


async def test_when_it_may_not_call_it_answers_in_words(henry: Chat, home: Family) -> None:
    assert "stop here" in await henry.say("order fries", may_call=False)
    assert not henry.calls


async def test_without_a_tool_it_says_so_and_calls_nothing() -> None:
    for words in (
        "order fries",
        "hi",
        "my orders",
        "what can I eat?",
        "ask for access to sushi world because I like it",
    ):
        step = await one_step(Prompt("", [UserMessage(text=words)]))
        assert not step.calls
        assert "can't do that" in step.text


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"instances": "none"},
        {"instances": [{"key": 1}], "total": "x"},
        {"result": "text"},
        {"error": "boom"},
        {"error": {}},
    ],
)
async def test_an_answer_that_cannot_be_read_is_not_guessed_at(
    henry: Chat, home: Family, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(user: str, call: ToolCall) -> ToolResult:
        return ToolResult(call_id=call.id, name=call.name, content=content)

    monkeypatch.setattr(home, "run", answer)
    assert await henry.say("order fries")
    assert len(henry.calls) == 1


def test_an_error_is_read_at_the_top_as_well() -> None:
    fields = {"code": "x", "message": "Say what.", "hint": "", "ask_for": [{"kind": "nonsense"}, "more"]}
    read = answer_of(ToolResult(call_id="1", name="t", content=fields, is_error=True))
    assert read == Trouble("t", "x", "Say what.")


def test_what_a_child_may_not_do_is_for_parents() -> None:
    assert "for parents" in explain(Trouble("approve_access_request", "unknown_tool", "Unknown tool: x"))

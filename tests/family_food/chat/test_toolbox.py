"""What a model is given of a tool's answer, and what happens when nobody listens any more."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, cast

import pytest
from mcp.types import CallToolResult, ImageContent, TextContent, Tool, ToolAnnotations

from family_food.chat.confirmation import DECIDES
from family_food.chat.protocol import ServerFrameModel, ToolFrame
from family_food.chat.toolbox import MAX_PARALLEL_CALLS, MAX_RESULT_CHARS, REFUSAL, Toolbox, ToolContext, result_content
from family_food.messages import ToolCall, ToolResult
from permit_core.identity import Actor


def text(words: str) -> list[Any]:
    return [TextContent(type="text", text=words)]


def test_structured_content_goes_before_text() -> None:
    assert result_content(CallToolResult(content=text("{}"), structured_content={"dishes": []})) == {"dishes": []}
    assert result_content(CallToolResult(content=[*text("a"), *text("b")])) == {"result": "a\nb"}
    image = ImageContent(type="image", data="", mime_type="image/png")
    assert result_content(CallToolResult(content=[image])) == {"result": ""}


def test_a_refusal_is_an_error_with_its_code_and_what_to_ask_for() -> None:
    refusal = {"code": "approval_needed", "message": "No.", "hint": "Ask.", "ask_for": [{"kind": "operation_approval"}]}
    result = CallToolResult.model_validate({"content": text("..."), "_meta": {REFUSAL: refusal}, "isError": True})
    assert result_content(result) == {"error": refusal}


@pytest.mark.parametrize(("words", "code"), [("Unknown tool: x", "unknown_tool"), ("Error\x1b[2J", "tool_error"), ("", "tool_error")])  # fmt: skip
def test_an_error_in_words_gets_a_code(words: str, code: str) -> None:
    error = result_content(CallToolResult(content=text(words), is_error=True))["error"]
    assert error["code"] == code
    assert error["message"].isprintable()
    assert error["message"]


def test_an_answer_without_end_is_not_passed_on() -> None:
    endless = CallToolResult(content=text("x" * (MAX_RESULT_CHARS + 1)))
    assert result_content(endless)["error"]["code"] == "result_too_large"


class Tools:
    """Every call works."""

    async def tools(self) -> list[Tool]:
        looks = ToolAnnotations(read_only_hint=True)
        return [
            Tool(name="echo", input_schema={"type": "object"}),
            Tool(name="look", input_schema={"type": "object"}, annotations=looks),
            Tool(name="decide", input_schema={}, annotations=looks, _meta={DECIDES: {"verb": "unheard of"}}),
            Tool(name="hidden", input_schema={}, annotations=looks),
        ]

    async def call(self, name: str, arguments: dict[str, Any], *, read_only: bool) -> CallToolResult:
        return CallToolResult(content=[], structured_content=arguments)


class Consent:
    """Nothing was read, and ``look`` and ``decide`` are said to change nothing."""

    def looks(self, tool: str) -> bool:
        return tool in ("look", "decide", "hidden")

    async def tainted(self) -> bool:
        return False

    async def note_result(self, tool: str, content: Mapping[str, Any]) -> None:
        """Labels nothing."""


class Stage:
    def __init__(self) -> None:
        self.frames: list[ToolFrame] = []
        self.gone = False
        context = ToolContext(
            actor=Actor("default", "default", "3", "Henry"),
            session_id="chat_1",
            tools=cast("Any", Tools()),
            approvals=cast("Any", None),
            audit=cast("Any", None),
            confirmations=cast("Any", None),
            consent=cast("Any", Consent()),
            listed=Tools().tools,
            visible=frozenset({"echo", "look", "decide"}),
            wake=lambda: None,
        )
        self.box = Toolbox(context, 1, self.send, nullcontext)

    async def send(self, frame: ServerFrameModel) -> None:
        if self.gone:
            raise ConnectionError
        assert isinstance(frame, ToolFrame)
        self.frames.append(frame)


def echoes(number: int) -> list[ToolCall]:
    return [ToolCall(id=f"c{n}", name="echo", arguments={"n": n, "password": "pizza"}) for n in range(number)]


async def test_only_visible_tools_are_declared() -> None:
    stage = Stage()
    assert [tool.name for tool in await stage.box.open()] == ["echo", "look", "decide"]


async def test_arguments_are_shown_without_their_secrets() -> None:
    stage = Stage()
    await stage.box.open()
    results: list[ToolResult | None] = [None]
    await stage.box.run(echoes(1), results)
    assert [frame.state for frame in stage.frames] == ["started", "done"]
    assert "pizza" not in str(stage.frames)
    assert results[0] is not None
    assert results[0].content == {"n": 0, "password": "pizza"}


async def test_too_many_calls_of_one_step_are_not_made() -> None:
    stage = Stage()
    await stage.box.open()
    results: list[ToolResult | None] = [None] * (MAX_PARALLEL_CALLS + 1)
    await stage.box.run(echoes(MAX_PARALLEL_CALLS + 1), results)
    assert [result.is_error for result in results if result] == [False] * MAX_PARALLEL_CALLS + [True]


async def test_a_client_that_is_gone_is_one_error_however_many_calls_notice() -> None:
    stage = Stage()
    await stage.box.open()
    stage.gone = True
    with pytest.raises(ConnectionError):
        await stage.box.run(echoes(3), [None] * 3)


@pytest.mark.parametrize(
    ("names", "looks"),
    [(["look"], True), (["look", "look"], True), ([], True), (["echo"], False), (["look", "echo"], False), (["decide"], False), (["hidden"], False), (["unknown"], False)],
)  # fmt: skip
async def test_calls_only_look_when_every_tool_says_so_and_none_decides(names: list[str], looks: bool) -> None:
    stage = Stage()
    await stage.box.open()
    assert stage.box.only_look([ToolCall(id=f"c{n}", name=name, arguments={}) for n, name in enumerate(names)]) is looks

"""The loop between a model and its tools, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from family_food.chat.pending import Pending
from family_food.chat.protocol import ErrorFrame, ServerFrameModel, Text, TextDeltaFrame
from family_food.chat.turn import Turn, TurnBudget, TurnLimits
from family_food.conversations.conversation import Conversation
from family_food.messages import ModelStep, ToolCall, ToolResult, ToolResults, UserMessage
from family_food.models.port import Finish, ModelError, ToolDeclaration
from permit_core.errors import NotFound
from tests.support.notebook import Notebook
from tests.support.scripted_model import ScriptedModel, calls, says

HELLO = UserMessage(text="hello")
LIMITS = TurnLimits(steps=5, seconds=5, output_chars=100)


class EchoTools:
    """Every call answers its arguments; ``hang`` never does, ``look`` has no effect."""

    def __init__(self) -> None:
        self.made: list[ToolCall] = []
        self.hanging = asyncio.Event()

    async def open(self) -> list[ToolDeclaration]:
        return [ToolDeclaration("echo", "Echo", {"type": "object"})]

    def only_look(self, calls: Sequence[ToolCall]) -> bool:
        return all(call.name == "look" for call in calls)

    async def run(self, calls: Sequence[ToolCall], results: list[ToolResult | None]) -> None:
        for index, call in enumerate(calls):
            self.made.append(call)
            if call.name == "hang":
                self.hanging.set()
                await asyncio.Event().wait()
            results[index] = ToolResult(call_id=call.id, name=call.name, content=call.arguments)


class Stage:
    """A turn with everything around it."""

    def __init__(self, model: ScriptedModel, limits: TurnLimits = LIMITS, tools: Any = None) -> None:
        self.frames: list[ServerFrameModel] = []
        self.notebook = Notebook()
        self.tools = tools or EchoTools()
        self.budget = TurnBudget(limits.seconds)
        self.conversation = Conversation("chat_1", self.notebook)
        self.turn = Turn(
            number=1,
            system="system",
            conversation=self.conversation,
            model=model,
            tools=self.tools,
            send=self.send,
            limits=limits,
            budget=self.budget,
        )

    async def send(self, frame: ServerFrameModel) -> None:
        self.frames.append(frame)

    async def run(self) -> str:
        """The turn from its beginning to its end, as a session takes it."""
        opening = Pending([HELLO], self.conversation.begin_turn("message", None, [HELLO]))
        try:
            return await self.turn.run(opening)
        finally:
            await self.turn.settled()
            await self.conversation.end_turn(1, "completed", self.turn.last)

    def said(self) -> list[str]:
        return [frame.content for frame in self.frames if isinstance(frame, Text)]

    def errors(self) -> list[str]:
        return [frame.code for frame in self.frames if isinstance(frame, ErrorFrame)]

    def orphans(self) -> list[str]:
        """Calls that stand in the conversation without their result right behind them."""
        entries = self.notebook.entries
        lost = []
        for index, entry in enumerate(entries):
            if isinstance(entry, ModelStep) and entry.calls:
                after = entries[index + 1] if index + 1 < len(entries) else None
                answered = [r.call_id for r in after.results] if isinstance(after, ToolResults) else []
                lost += [call.id for call in entry.calls] if answered != [c.id for c in entry.calls] else []
        return lost


async def test_words_are_streamed_and_then_sent_whole() -> None:
    stage = Stage(ScriptedModel(says("Good ", "day.")))
    assert await stage.run() == "completed"
    deltas = [frame.content for frame in stage.frames if isinstance(frame, TextDeltaFrame)]
    assert deltas == ["Good ", "day."]
    assert stage.said() == ["Good day."]
    assert stage.notebook.entries == [HELLO, ModelStep(text="Good day.")]


async def test_calls_are_answered_in_order_and_the_model_goes_on() -> None:
    model = ScriptedModel(calls(("echo", {"x": 1}), ("echo", {"x": 2})), says("Done."))
    stage = Stage(model)
    assert await stage.run() == "completed"
    results = stage.notebook.entries[2]
    assert isinstance(results, ToolResults)
    assert [result.content for result in results.results] == [{"x": 1}, {"x": 2}]
    assert model.prompts[1].entries[-1] == results
    assert stage.turn.usage.input_tokens == 20


class Peeking(EchoTools):
    """Notes what was kept when each call was made."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []
        self.stage: Stage | None = None

    async def run(self, calls: Sequence[ToolCall], results: list[ToolResult | None]) -> None:
        assert self.stage is not None
        self.kept.append(len(self.stage.notebook.entries))
        await super().run(calls, results)


async def test_a_step_with_effects_is_kept_before_they_happen_and_one_that_looks_with_what_it_saw() -> None:
    tools = Peeking()
    model = ScriptedModel(calls(("look", {}), ("echo", {})), calls(("look", {"page": 2})), says("Done."))
    tools.stage = stage = Stage(model, tools=tools)
    assert await stage.run() == "completed"
    assert tools.kept == [2, 3]  # the person's words and the step; then its results, and no second step yet
    assert [type(entry) for entry in stage.notebook.entries[1:]] == [*[ModelStep, ToolResults] * 2, ModelStep]
    assert stage.orphans() == []


async def test_a_look_that_is_cancelled_is_kept_as_one_that_has_no_answer() -> None:
    class Endless(EchoTools):
        def only_look(self, calls: Sequence[ToolCall]) -> bool:
            return True

    stage = Stage(ScriptedModel(calls(("hang", {}))), tools=Endless())
    task = asyncio.create_task(stage.run())
    await stage.tools.hanging.wait()
    assert len(stage.notebook.entries) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.orphans() == []
    results = stage.notebook.entries[-1]
    assert isinstance(results, ToolResults)
    assert results.results[0].is_error


async def test_the_last_step_may_not_call_and_ends_the_turn() -> None:
    numbers = iter(range(100))
    model = ScriptedModel(lambda prompt: calls(("echo", {"n": next(numbers)})) if prompt.may_call else says("Enough."))
    stage = Stage(model)
    assert await stage.run() == "limit"
    assert stage.turn.steps == LIMITS.steps
    assert stage.said() == ["Enough."]
    assert stage.orphans() == []


async def test_a_model_that_calls_although_it_may_not_is_not_listened_to() -> None:
    numbers = iter(range(100))
    stage = Stage(ScriptedModel(lambda _: calls(("echo", {"n": next(numbers)}))))
    assert await stage.run() == "limit"
    assert len(stage.tools.made) == LIMITS.steps - 1
    assert stage.orphans() == []


async def test_the_same_call_for_the_third_time_is_not_made() -> None:
    model = ScriptedModel(lambda prompt: calls(("echo", {"x": 1})) if prompt.may_call else says("I was in a circle."))
    stage = Stage(model)
    assert await stage.run() == "limit"
    assert len(stage.tools.made) == 2
    assert stage.orphans() == []


async def test_an_answer_that_is_too_long_is_cut_and_the_model_stopped() -> None:
    model = ScriptedModel(says(*["0123456789"] * 20))
    stage = Stage(model)
    assert await stage.run() == "limit"
    assert stage.said() == ["0123456789" * 10]
    assert model.stopped == 1
    assert stage.notebook.entries[-1] == ModelStep(text="0123456789" * 10)


async def test_a_cancelled_call_gets_a_result_that_says_so() -> None:
    stage = Stage(ScriptedModel(calls(("echo", {"x": 1}), ("hang", {}))))
    task = asyncio.create_task(stage.run())
    async with asyncio.timeout(5):
        await stage.tools.hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    results = stage.notebook.entries[-1]
    assert isinstance(results, ToolResults)
    assert results.results[0].content == {"x": 1}
    assert results.results[1].content["error"]["code"] == "cancelled"
    assert stage.orphans() == []


async def test_words_said_before_a_cancellation_are_kept() -> None:
    never = asyncio.Event()
    model = ScriptedModel([*says("Let me ")[:-1], never])
    stage = Stage(model)
    task = asyncio.create_task(stage.run())
    async with asyncio.timeout(5):
        while not stage.frames:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.notebook.entries == [HELLO, ModelStep(text="Let me ")]
    assert model.stopped == 1


async def test_a_turn_has_an_end_in_time() -> None:
    stage = Stage(ScriptedModel([asyncio.Event()]), TurnLimits(steps=5, seconds=0.05, output_chars=100))
    assert await stage.run() == "limit"
    assert stage.errors() == ["turn_timeout"]


async def test_waiting_for_a_person_costs_no_time() -> None:
    class Patient(EchoTools):
        async def run(self, calls: Sequence[ToolCall], results: list[ToolResult | None]) -> None:
            with stage.budget.unhurried():
                timeout = stage.budget._timeout
                assert timeout is not None
                assert timeout.when() is None
            assert timeout.when() is not None
            await super().run(calls, results)

    stage = Stage(ScriptedModel(calls(("echo", {})), says("Done.")), tools=Patient())
    assert await stage.run() == "completed"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([ModelError("model_unavailable", "The model does not answer.")], "model_unavailable"),
        ([], "model_malformed"),
        (says(), "model_empty"),
        (says("No", finish=Finish.BLOCKED), "model_blocked"),
    ],
)
async def test_a_failing_model_is_told_in_one_sentence(script: list[Any], code: str) -> None:
    stage = Stage(ScriptedModel(script))
    assert await stage.run() == "failed"
    assert stage.errors() == [code]


async def test_an_answer_cut_by_the_model_s_own_limit_is_said_to_be_cut() -> None:
    stage = Stage(ScriptedModel(says("Once upon", finish=Finish.LENGTH)))
    assert await stage.run() == "limit"
    assert "cut" in stage.frames[-1].model_dump()["content"]


async def test_tools_that_cannot_be_opened_fail_the_turn_and_nothing_else() -> None:
    class Broken(EchoTools):
        async def open(self) -> list[ToolDeclaration]:
            raise NotFound("There are no tools.", code="tools_unavailable")

    stage = Stage(ScriptedModel(says("Hi")), tools=Broken())
    assert await stage.run() == "failed"
    assert stage.errors() == ["tools_unavailable"]

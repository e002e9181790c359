"""A conversation of one person with the demo model, as the server would run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from family_food.messages import (
    Entry,
    EventMessage,
    ModelStep,
    ToolCall,
    ToolResult,
    ToolResults,
    UserMessage,
    entry_adapter,
)
from family_food.models.demo import DemoModel
from family_food.models.port import Finish, Prompt, StepEnd, TextDelta, ToolDeclaration

MOST_STEPS = 40


class Tools(Protocol):
    """Where calls go: the tools in memory, or the real ones."""

    async def offered(self, user: str) -> Sequence[ToolDeclaration]:
        """What a user may call."""
        ...

    async def run(self, user: str, call: ToolCall) -> ToolResult:
        """Carry out one call for a user."""
        ...


@dataclass
class Chat:
    """One session: ``calls`` holds what was called in the last turn, ``steps`` one list of tool names a step."""

    tools: Tools
    user: str
    entries: list[Entry] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)

    async def say(self, text: str, *, may_call: bool = True) -> str:
        """A message of the person; the words that answer it."""
        return await self._turn(UserMessage(text=text), may_call=may_call)

    async def hear(self, event: str, data: dict[str, Any]) -> str:
        """An event from the server; the words that answer it."""
        message = EventMessage.model_validate({"event": event, "data": data})
        return await self._turn(message, may_call=True)

    async def _turn(self, cause: Entry, *, may_call: bool) -> str:
        self.calls, self.steps = [], []
        self.entries.append(cause)
        for _ in range(MOST_STEPS):
            step = await one_step(Prompt("", self.entries, await self.tools.offered(self.user), may_call))
            # What is stored is JSON: whatever does not survive that is no memory.
            self.entries.append(entry_adapter.validate_json(step.model_dump_json()))
            if not step.calls:
                return step.text
            self.calls += step.calls
            self.steps.append([call.name for call in step.calls])
            self.entries.append(ToolResults(results=[await self.tools.run(self.user, call) for call in step.calls]))
        raise AssertionError("the turn did not end")

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of the last turn's calls of one tool."""
        return [call.arguments for call in self.calls if call.name == name]


async def one_step(prompt: Prompt) -> ModelStep:
    """Run one step and check the port's contract: the deltas are the text, then exactly one end."""
    events = [event async for event in DemoModel().step(prompt)]
    end = events[-1]
    assert isinstance(end, StepEnd)
    assert end.finish is Finish.STOP
    assert end.step.provider == "demo"
    deltas = [event.text for event in events[:-1] if isinstance(event, TextDelta)]
    assert len(deltas) == len(events) - 1
    assert "".join(deltas) == end.step.text
    return end.step

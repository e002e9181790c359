"""Prompts and steps for testing models: short ways to write and to run them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from family_food.messages import ModelStep, Shown, ToolResult, ToolResults, UserMessage
from family_food.models.port import Model, Prompt, StepEnd, TextDelta, ToolDeclaration

WAIT_SECONDS = 20

TOOLS = (
    ToolDeclaration(
        "list_dishes",
        "The menu of a restaurant.",
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "ListDishes",
            "type": "object",
            "properties": {
                "restaurant_id": {"type": "string", "title": "Restaurant"},
                "page": {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}], "default": None},
            },
            "required": ["restaurant_id"],
            "additionalProperties": False,
        },
    ),
    ToolDeclaration("list_orders", "", {"type": "object", "properties": {}}),
)


@dataclass(frozen=True)
class Outcome:
    """Everything a step yielded."""

    deltas: list[str]
    end: StepEnd

    @property
    def step(self) -> ModelStep:
        return self.end.step


def asking(*entries: Shown | str, tools: Sequence[ToolDeclaration] = TOOLS, may_call: bool = True) -> Prompt:
    """A prompt; a bare text is a user message."""
    said = [UserMessage(text=entry) if isinstance(entry, str) else entry for entry in entries]
    return Prompt("You order food.", said, tools, may_call=may_call)


def answers_to(step: ModelStep) -> ToolResults:
    """A good result for every call of a step."""
    return ToolResults(
        results=[ToolResult(call_id=c.id, name=c.name, content={"answers": c.arguments}) for c in step.calls]
    )


async def run(model: Model, prompt: Prompt) -> Outcome:
    """Run a step to its end, in bounded time."""
    deltas: list[str] = []
    end: StepEnd | None = None
    async with asyncio.timeout(WAIT_SECONDS), aclosing(model.step(prompt)) as events:
        async for event in events:
            assert end is None, "nothing comes after the end"
            if isinstance(event, TextDelta):
                deltas.append(event.text)
            else:
                end = event
    assert end is not None
    return Outcome(deltas, end)

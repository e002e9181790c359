"""A model whose time is known.

What it does is in the person's words: ``say`` is answered at once, ``wait`` after a second, ``call`` with one tool
call and then words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from family_food.messages import ModelStep, ToolCall, UserMessage
from family_food.models.port import Prompt, StepEnd, TextDelta

WAIT_SECONDS = 1.0
ANSWER = "Pizza Palace has a cheese pizza for 8.99."
TOOL = "list_resource_instances"


class ToldModel:
    """Answers without thinking."""

    label = "benchmark model"
    offline = True

    async def step(self, prompt: Prompt) -> AsyncGenerator[TextDelta | StepEnd]:
        """One step, by the last words of the person."""
        last = prompt.entries[-1]
        said = last.text if isinstance(last, UserMessage) else ""
        if said == "call":
            call = ToolCall(id="call", name=TOOL, arguments={})
            yield StepEnd(ModelStep(calls=[call], provider="benchmark"))
            return
        if said == "wait":
            await asyncio.sleep(WAIT_SECONDS)
        yield TextDelta(ANSWER)
        yield StepEnd(ModelStep(text=ANSWER))

    async def close(self) -> None:
        """Nothing to give back."""

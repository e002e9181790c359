"""The offline demo model: a port like any other, behind which no language model stands."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from family_food.models.demo.turn import next_step
from family_food.models.port import Prompt, StepEnd, TextDelta

_WORDS_AT_ONCE = 3
_PIECES = re.compile(rf"(?:\s*\S+){{1,{_WORDS_AT_ONCE}}}\s*\Z|(?:\s*\S+){{1,{_WORDS_AT_ONCE}}}")


class DemoModel:
    """Understands simple English about ordering food, and works only through the tools it is offered.

    It needs no network and no key, keeps no state and is deterministic: the same prompt gives the same step. Every fact
    it tells comes from a tool's answer in the conversation.
    """

    @property
    def label(self) -> str:
        """What the client shows."""
        return "offline demo model"

    @property
    def offline(self) -> bool:
        """True: not a language model."""
        return True

    async def step(self, prompt: Prompt) -> AsyncGenerator[TextDelta | StepEnd]:
        """Stream one step: a few words at a time, then the whole step."""
        step = next_step(prompt)
        for piece in _PIECES.findall(step.text):
            yield TextDelta(piece)
        yield StepEnd(step)

    async def close(self) -> None:
        """Nothing to give back."""

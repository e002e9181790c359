"""A model that says what a test wrote down for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from family_food.messages import ModelStep, ToolCall
from family_food.models.port import Finish, Prompt, StepEnd, TextDelta, Usage

Line = TextDelta | StepEnd | BaseException | asyncio.Event
Script = Sequence[Line] | Callable[[Prompt], Sequence[Line]]


class ScriptedModel:
    """One script for each step, in order; the last one is repeated. An event in it is waited for, an error raised."""

    label = "scripted model"
    offline = True

    def __init__(self, *scripts: Script) -> None:
        self._scripts = deque(scripts)
        self.prompts: list[Prompt] = []
        self.closed = False
        self.stopped = 0

    async def step(self, prompt: Prompt) -> AsyncGenerator[TextDelta | StepEnd]:
        self.prompts.append(prompt)
        script = self._scripts.popleft() if len(self._scripts) > 1 else self._scripts[0]
        try:
            for line in script(prompt) if callable(script) else script:
                if isinstance(line, BaseException):
                    raise line
                if isinstance(line, asyncio.Event):
                    await line.wait()
                else:
                    yield line
        finally:
            self.stopped += 1

    async def close(self) -> None:
        self.closed = True


def says(*words: str, finish: Finish = Finish.STOP) -> list[Line]:
    """Words, one delta each."""
    return [*map(TextDelta, words), StepEnd(ModelStep(text="".join(words)), finish, Usage(10, len(words)))]


def calls(*wanted: tuple[str, dict[str, Any]], text: str = "") -> list[Line]:
    """Calls of one step, ids ``c0``, ``c1``, ..."""
    made = [ToolCall(id=f"c{index}", name=name, arguments=arguments) for index, (name, arguments) in enumerate(wanted)]
    deltas: list[Line] = [TextDelta(text)] if text else []
    return [*deltas, StepEnd(ModelStep(text=text, calls=made, provider="scripted"), usage=Usage(10, 1))]

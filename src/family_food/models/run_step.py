"""One step of any provider: open the stream, show its words, judge the whole, ask once more when it is no use."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, TypeVar

from family_food.models.port import ModelError, StepEnd, TextDelta, Usage
from family_food.models.stream_pump import Patience, pumped

Chunk = TypeVar("Chunk")
Chunk_contra = TypeVar("Chunk_contra", contravariant=True)

ATTEMPTS = 2
"""How often an answer is asked for when it comes back empty or malformed: once more, silently."""


class UselessAnswerError(Exception):
    """The provider answered, but with nothing that can be used: empty, malformed, or cut off in the middle."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Answer(Protocol[Chunk_contra]):
    """An answer as it comes in."""

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""
        ...

    def read(self, chunk: Chunk_contra) -> str:
        """Take in a chunk; the words in it that the person may see."""
        ...

    def end(self) -> StepEnd:
        """The whole step.

        Raises:
            UselessAnswerError: there is none.
        """
        ...


async def run_step(
    open_stream: Callable[[], Awaitable[AsyncIterable[Chunk]]],
    new_answer: Callable[[], Answer[Chunk]],
    patience: Patience,
    translate: Callable[[Exception], ModelError],
) -> AsyncGenerator[TextDelta | StepEnd, None]:
    """Stream one step as :meth:`family_food.models.port.Model.step` promises.

    Args:
        open_stream: sends the request.
        new_answer: makes the reader of its chunks.
        patience: how long silence is borne.
        translate: what an exception of the stream means.

    Raises:
        ModelError: there is no answer.
    """
    spent = Usage()
    for attempts_left in reversed(range(ATTEMPTS)):
        answer, spoke = new_answer(), False
        try:
            async with aclosing(pumped(open_stream, patience, translate)) as chunks:
                async for chunk in chunks:
                    if words := answer.read(chunk):
                        spoke = True
                        yield TextDelta(words)
            end = answer.end()
        except UselessAnswerError as useless:
            # What was shown cannot be taken back, so only a silent failure is tried again silently.
            if spoke or not attempts_left:
                raise ModelError(useless.code, useless.message) from None
            spent = _sum(spent, answer.usage)
        else:
            yield replace(end, usage=_sum(spent, answer.usage))
            return


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(one.input_tokens + other.input_tokens, one.output_tokens + other.output_tokens)

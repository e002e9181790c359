"""The port every language model stands behind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from family_food.messages import ModelStep, Shown
from permit_core.errors import UserFacing


@dataclass(frozen=True, slots=True)
class ToolDeclaration:
    """A tool as a model sees it. ``input_schema`` is JSON Schema, as the MCP server published it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything a model gets for one step.

    Attributes:
        system: the system instruction.
        entries: the conversation, perhaps beginning with a recap, ending in a user message, an event or tool results.
        tools: what it may call.
        may_call: False to close a turn at its step limit: answer in words now.
    """

    system: str
    entries: Sequence[Shown]
    tools: Sequence[ToolDeclaration] = ()
    may_call: bool = True


class Finish(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"  # cut at the model's own output limit
    BLOCKED = "blocked"  # prompt or answer refused by the provider's filters


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one step, as far as the provider tells."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class StepEnd:
    """The last event of every stream: the whole step, why it ended, what it cost."""

    step: ModelStep
    finish: Finish = Finish.STOP
    usage: Usage = field(default_factory=Usage)


class ModelError(UserFacing):
    """The model did not answer. ``message`` may be shown; ``code`` is stable.

    Codes: ``model_unavailable``, ``model_timeout``, ``model_rate_limited`` (``retry_after`` in seconds when known),
    ``model_refused_key``, ``model_unknown``, ``model_empty``, ``model_malformed``.
    """

    def __init__(self, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message, code=code, retry_after=retry_after)


class Model(Protocol):
    """One per process; ``step`` may run many times at once."""

    @property
    def label(self) -> str:
        """What the client shows: ``Gemini (gemini-3.8-flash)``, ``offline demo model``."""
        ...

    @property
    def offline(self) -> bool:
        """True for the demo model: no network, no key, not a language model."""
        ...

    def step(self, prompt: Prompt) -> AsyncGenerator[TextDelta | StepEnd]:
        """Stream one step: text deltas, then exactly one ``StepEnd``.

        Closing the generator (``aclose``) or cancelling its consumer stops the request for good.

        Raises:
            ModelError: while iterating.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...

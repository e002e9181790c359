"""One ``chat.completion.chunk``: the part of it that we read. What servers add is ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)


class FunctionFragment(_Wire):
    """More of a call's name and arguments. A few servers send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallFragment(_Wire):
    """A piece of a tool call, or a whole one."""

    index: int | None = None
    id: str | None = None
    function: FunctionFragment = FunctionFragment()


class Delta(_Wire):
    """What is new. A model's reasoning comes under names of its own and is not read."""

    content: str | None = None
    tool_calls: list[CallFragment] | None = None


class Choice(_Wire):
    """The one choice that is asked for."""

    delta: Delta = Delta()
    finish_reason: str | None = None


class TokenCount(_Wire):
    """What it cost, at the end."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class CompletionChunk(_Wire):
    """One event of the stream; ``error`` when the server fails in the middle of it."""

    choices: list[Choice] | None = None
    usage: TokenCount | None = None
    error: Any = None

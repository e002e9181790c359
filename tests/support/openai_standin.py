"""A stand-in for a chat completions server: Ollama, llama.cpp and vLLM as they are on the wire, over real HTTP.

It refuses what such servers refuse: a wrong key (401), an unknown model (404), no messages, a tool call without its
answers, an answer without its call, arguments that are not JSON (400).
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.http_standin import Dropped, Exchange, HttpStandIn

MODEL = "qwen3:8b"


@dataclass(frozen=True)
class Completion:
    """An answer: each of ``deltas`` is one chunk's delta, as it goes over the wire."""

    deltas: Sequence[dict[str, Any]] = ()
    finish: str | None = "stop"
    usage: dict[str, int] | None = field(default_factory=lambda: {"prompt_tokens": 5, "completion_tokens": 3})
    done: bool = True


def said(*words: str, finish: str | None = "stop") -> Completion:
    """An answer in words, a chunk each."""
    return Completion([{"content": word} for word in words], finish)


def called(*fragments: dict[str, Any]) -> Completion:
    """An answer of tool call fragments, a chunk each."""
    return Completion([{"tool_calls": [fragment]} for fragment in fragments], "tool_calls")


def fragment(
    arguments: Any = None, *, name: str | None = None, call_id: str | None = None, index: int | None = None
) -> dict[str, Any]:
    """A fragment of a call, with only what is given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    outer = {key: value for key, value in (("index", index), ("id", call_id)) if value is not None}
    return {**outer, "type": "function", "function": function}


@dataclass(frozen=True)
class Refusal:
    """An HTTP error; with ``after``, an error event in the middle of a stream."""

    status: int
    code: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: Completion | None = None

    def body(self) -> dict[str, Any]:
        return {"error": {"message": "refused, with a secret", "type": "x", "code": self.code}}


@dataclass(frozen=True)
class Silence:
    """Nothing more after ``after``; with None not even a status line."""

    after: Completion | None = None


@dataclass(frozen=True)
class Break:
    """The connection breaks after ``after``."""

    after: Completion | None = None


@dataclass(frozen=True)
class Raw:
    """Pieces of bytes as they are, in a 200 stream."""

    pieces: Sequence[bytes]


Reaction = Completion | Refusal | Silence | Break | Raw
Brain = Callable[[dict[str, Any]], Reaction | Awaitable[Reaction]]


def script(*reactions: Reaction) -> Brain:
    """A brain that reacts in the order given."""
    rest = iter(reactions)
    return lambda _: next(rest)


class OpenAIStandIn(HttpStandIn):
    """The server. ``requests`` are the bodies it let in."""

    def __init__(self, brain: Brain, *, key: str = "", models: Iterable[str] = (MODEL,)) -> None:
        super().__init__()
        self.brain, self.key, self.models = brain, key, frozenset(models)
        self.requests: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.attempts = 0

    async def handle(self, exchange: Exchange) -> None:
        self.attempts += 1
        http = exchange.request
        body = http.json()
        status, wrong = self._wrong(http.path, http.headers, body)
        if wrong:
            self.refused.append(wrong)
            await exchange.json(status, {"error": {"message": wrong}})
            return
        self.requests.append(body)
        reaction = self.brain(body)
        await self._react(exchange, await reaction if inspect.isawaitable(reaction) else reaction)

    def _wrong(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, str | None]:
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return 401, "Incorrect API key provided"
        if path != "/v1/chat/completions":
            return 404, "no such path"
        if body.get("model") not in self.models:
            return 404, "model not found"
        return 400, wrong_messages(body.get("messages") or [])

    async def _react(self, exchange: Exchange, reaction: Reaction) -> None:
        if isinstance(reaction, Refusal) and reaction.after is None:
            await exchange.json(reaction.status, reaction.body(), reaction.headers)
            return
        if isinstance(reaction, Silence | Break) and reaction.after is None:
            await self._stop(reaction)
        await exchange.stream()
        if isinstance(reaction, Raw):
            for piece in reaction.pieces:
                await exchange.send(piece)
            return
        completion = reaction if isinstance(reaction, Completion) else reaction.after
        assert completion is not None
        for chunk in _chunks(completion, whole=completion is reaction):
            await exchange.send(_event(chunk))
        if isinstance(reaction, Refusal):
            await exchange.send(_event(reaction.body()))
        elif isinstance(reaction, Silence | Break):
            await self._stop(reaction)
        elif completion.done:
            await exchange.send(b"data: [DONE]\n\n")

    async def _stop(self, reaction: Silence | Break) -> None:
        if isinstance(reaction, Break):
            raise Dropped
        await asyncio.Event().wait()


def wrong_messages(messages: list[dict[str, Any]]) -> str | None:
    """What a server would refuse in these messages."""
    if not [message for message in messages if message["role"] != "system"]:
        return "messages must not be empty"
    open_calls: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                return "a tool message must answer a tool call"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return "every tool_call_id must be answered by a tool message"
        for call in message.get("tool_calls", []):
            try:
                json.loads(call["function"]["arguments"])
            except ValueError:
                return "arguments must be JSON"
            open_calls.append(call["id"])
        if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
            return "an assistant message must say or call something"
    return "every tool_call_id must be answered by a tool message" if open_calls else None


def _chunks(completion: Completion, *, whole: bool) -> Iterable[dict[str, Any]]:
    for delta in completion.deltas:
        yield _chunk({"delta": {"role": "assistant", **delta}, "finish_reason": None})
    if whole:
        if completion.finish:
            yield _chunk({"delta": {}, "finish_reason": completion.finish})
        if completion.usage:
            yield {**_chunk(), "usage": completion.usage}


def _chunk(*choices: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "model": MODEL,
        "choices": [{"index": 0, **choice} for choice in choices],
    }


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


@asynccontextmanager
async def openai_standin(brain: Brain, **options: Any) -> AsyncIterator[OpenAIStandIn]:
    """A stand-in that serves as long as the block lasts."""
    standin = OpenAIStandIn(brain, **options)
    async with standin.serving():
        yield standin

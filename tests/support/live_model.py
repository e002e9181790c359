"""A language model behind a chat completions server, whose words a test speaks while they are listened to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.support.http_standin import Exchange, HttpStandIn
from tests.support.openai_standin import MODEL, wrong_messages

WAIT_SECONDS = 60.0


@dataclass
class Call:
    """A tool call."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


class Gate:
    """Where the model stops until it is let through."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._open = asyncio.Event()
        self._reached = threading.Event()

    def reached(self) -> None:
        """Wait until the model stands here."""
        assert self._reached.wait(WAIT_SECONDS), "the model was not asked that far"

    def open(self) -> None:
        """Let it through."""
        self._portal.call(self._open.set)

    async def passed(self) -> None:
        """For the model."""
        self._reached.set()
        await self._open.wait()


Line = str | Call | Gate
Mind = Callable[[str, list[dict[str, Any]]], Sequence[Line]]
"""Makes an answer from the person's last words and all the messages."""


class LiveModel(HttpStandIn):
    """Answers with what ``mind`` says. Its methods may be called from any thread.

    Attributes:
        mind: what it thinks.
        requests: the bodies it was sent.
        ended: answers that were given to their end.
    """

    def __init__(self, portal: BlockingPortal) -> None:
        super().__init__()
        self.mind: Mind = lambda _said, _messages: ["Hello."]
        self.requests: list[dict[str, Any]] = []
        self.ended = 0
        self._portal = portal
        self._news = threading.Condition()

    def gate(self) -> Gate:
        """A new place to stop at."""
        return Gate(self._portal)

    def says(self, *lines: Line) -> None:
        """Say the same to everything."""
        self.mind = lambda _said, _messages: lines

    def hung_up_on(self, times: int = 1) -> None:
        """Wait until somebody has stopped listening in the middle of an answer."""
        with self._news:
            assert self._news.wait_for(lambda: self.left >= times, WAIT_SECONDS), "nobody hung up"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a server use this model, and wait for it as long as a test takes."""
        patience = dict.fromkeys(("MODEL_FIRST_EVENT_SECONDS", "MODEL_GAP_SECONDS", "TURN_TIMEOUT_SECONDS"), "600")
        return {"MODEL": "openai", "OPENAI_BASE_URL": f"{self.url}/v1", "OPENAI_MODEL": MODEL, **patience}

    async def handle(self, exchange: Exchange) -> None:
        body = exchange.request.json()
        wrong = wrong_messages(body["messages"])
        if wrong:
            await exchange.json(400, {"error": {"message": wrong}})
            return
        self.requests.append(body)
        said = next((m["content"] for m in reversed(body["messages"]) if m["role"] == "user"), "")
        lines = self.mind(said, body["messages"])
        await exchange.stream()
        called = 0
        for line in lines:
            if isinstance(line, Gate):
                await line.passed()
            elif isinstance(line, Call):
                await self._send(exchange, {"tool_calls": [_fragment(line, called, len(self.requests))]})
                called += 1
            else:
                await self._send(exchange, {"content": line})
        await self._send(exchange, {}, "tool_calls" if called else "stop")
        await exchange.send(b"data: [DONE]\n\n")
        self.ended += 1

    async def _tell(self, *, left: int = 0, streams: int = 0) -> None:
        await super()._tell(left=left, streams=streams)
        with self._news:
            self._news.notify_all()

    async def _send(self, exchange: Exchange, delta: dict[str, Any], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        chunk: dict[str, Any] = {"id": "c1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}
        if finish:
            chunk["usage"] = {"prompt_tokens": 5, "completion_tokens": 3}
        await exchange.send(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n")


def _fragment(call: Call, index: int, step: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"index": index, "id": f"call-{step}-{index}", "type": "function", "function": function}


def answered(messages: list[dict[str, Any]]) -> str | None:
    """The result of a tool call when the model is asked to go on after one; None when a person has spoken."""
    last = messages[-1]
    return str(last["content"]) if last["role"] == "tool" else None


@contextmanager
def live_model() -> Iterator[LiveModel]:
    """A model in a thread of its own, until the body ends."""
    with start_blocking_portal() as portal:
        model = LiveModel(portal)
        with portal.wrap_async_context_manager(model.serving()):
            yield model

"""One chat window, as light as a client can be: two cores are shared with the server that is measured."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.household import SESSIONS_EACH
from benchmarks.running_server import RunningServer

PATIENCE_SECONDS = 120.0
_numbers = itertools.count()


@dataclass
class Heard:
    """When things were heard in a turn, by ``time.perf_counter``; 0 for what was not."""

    said: float
    first_text: float = 0.0
    tool_done: float = 0.0
    text: float = 0.0
    ended: float = 0.0


class Window:
    """An open session, past its hello."""

    def __init__(self, socket: ClientConnection, opened: float) -> None:
        self._socket = socket
        self.opened = opened

    async def ask(self, words: str) -> Heard:
        """Say something, and listen until its turn is over.

        Raises:
            RuntimeError: the server reports an error, or the turn did not end well.
        """
        heard = Heard(time.perf_counter())
        await self._socket.send(json.dumps({"type": "message", "message": words, "id": f"m{next(_numbers)}"}))
        while not heard.ended:
            _note(json.loads(await self._socket.recv()), heard)
        return heard


def _note(frame: dict[str, Any], heard: Heard) -> None:
    now = time.perf_counter()
    match frame["type"]:
        case "text_delta":
            heard.first_text = heard.first_text or now
        case "text":
            heard.text = now
        case "tool" if frame["state"] != "started":
            if frame["state"] != "done":
                raise RuntimeError(f"a tool call ended badly: {frame['content']}")
            heard.tool_done = now
        case "error":
            raise RuntimeError(f"the server reports: {frame['content']}")
        case "turn_end":
            if frame["outcome"] != "completed":
                raise RuntimeError(f"a turn ended as {frame['outcome']}")
            heard.ended = now


@asynccontextmanager
async def window(server: RunningServer, number: int) -> AsyncIterator[Window]:
    """A window of the person whose turn it is: nobody has more than they may."""
    token = server.household.token(number // SESSIONS_EACH)
    opened = time.perf_counter()
    async with connect(
        f"ws://127.0.0.1:{server.port}/ws/chat?history=none",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
        compression=None,
        ping_interval=None,
        max_size=None,
        max_queue=None,
        open_timeout=PATIENCE_SECONDS,
        close_timeout=PATIENCE_SECONDS,
    ) as socket:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while json.loads(await socket.recv())["type"] != "hello":
                pass
        yield Window(socket, opened)


@asynccontextmanager
async def windows(server: RunningServer, count: int, *, at_once: int = 16) -> AsyncIterator[list[Window]]:
    """Many open windows, closed in the end, all together."""
    some = asyncio.Semaphore(at_once)
    over = asyncio.Event()
    opened: list[Window] = []
    ready = asyncio.Semaphore(0)

    async def hold(number: int) -> None:
        async with AsyncExitStack() as stack:
            async with some:
                opened.append(await stack.enter_async_context(window(server, number)))
            ready.release()
            await over.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(hold(number))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for _ in range(count):
                    await ready.acquire()
            yield opened
        finally:
            over.set()

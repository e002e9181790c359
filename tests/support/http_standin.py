"""A small HTTP/1.1 server on loopback for stand-ins: it controls every byte, and sees when a client leaves.

One handler a request; it is cancelled when the client disconnects before the answer is complete, as web frameworks
do. ``left`` counts those, and :meth:`HttpStandIn.clients_left` waits for them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAX_BODY = 64 * 1024 * 1024
WAIT_SECONDS = 10


class Dropped(Exception):
    """Raised by a handler to break the connection off in the middle."""


@dataclass(frozen=True)
class HttpRequest:
    """What came in. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """One request and the way to answer it: ``json``, or ``stream`` then ``send`` as often as needed."""

    request: HttpRequest
    writer: asyncio.StreamWriter
    streaming: bool = False
    extra_headers: dict[str, str] = field(default_factory=dict)

    async def json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})})
        self.writer.write(data)
        await self.writer.drain()

    async def stream(self, content_type: str = "text/event-stream") -> None:
        self._head(200, {"content-type": content_type, "transfer-encoding": "chunked"})
        self.streaming = True
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        if data:
            self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await self.writer.drain()

    async def finish(self) -> None:
        if self.streaming:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode())


class HttpStandIn:
    """Subclass it and write ``handle``. ``async with standin.serving():`` gives it a ``url``."""

    def __init__(self) -> None:
        self.url = ""
        self.left = 0
        self.connections = 0
        self.open_streams = 0
        self.most_open_streams = 0
        self._changed = asyncio.Condition()
        self._handlers: set[asyncio.Task[None]] = set()

    async def handle(self, exchange: Exchange) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for task in list(self._handlers):
                task.cancel()
            if self._handlers:
                await asyncio.wait(self._handlers)
            await server.wait_closed()

    async def clients_left(self, number: int) -> None:
        """Wait until so many clients have gone before their answer was complete."""
        await self._until(lambda: self.left >= number)

    async def streams_open(self, number: int) -> None:
        """Wait until so many answers are being streamed at once."""
        await self._until(lambda: self.open_streams >= number)

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(holds)

    async def _tell(self, *, left: int = 0, streams: int = 0) -> None:
        async with self._changed:
            self.left += left
            self.open_streams += streams
            self.most_open_streams = max(self.most_open_streams, self.open_streams)
            self._changed.notify_all()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        try:
            ahead = b""
            while (request := await _read_request(reader, ahead)) is not None:
                ahead = await self._answer(Exchange(request, writer), reader)
        except (ConnectionError, asyncio.IncompleteReadError, Dropped, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._handlers.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, exchange: Exchange, reader: asyncio.StreamReader) -> bytes:
        """Run the handler while watching for the client's leaving; returns what was read of the next request."""
        handler = asyncio.create_task(self.handle(exchange))
        watch = asyncio.create_task(reader.read(1))
        await self._tell(streams=1)
        try:
            await asyncio.wait({handler, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not handler.done() and (watch.exception() is not None or not watch.result()):
                handler.cancel()
                await asyncio.wait({handler})
                await self._tell(left=1)
                raise ConnectionResetError("the client left")
            await handler
            await exchange.finish()
        finally:
            for task in (handler, watch):
                task.cancel()
            await asyncio.wait({handler, watch})
            await self._tell(streams=-1)
        return b"" if watch.cancelled() else watch.result()


async def _read_request(reader: asyncio.StreamReader, ahead: bytes) -> HttpRequest | None:
    try:
        head = (ahead + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    assert 0 <= length <= MAX_BODY
    parts = urlsplit(target)
    return HttpRequest(method, parts.path, parse_qs(parts.query), headers, await reader.readexactly(length))

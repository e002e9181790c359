"""A cable between a client and a server that a test can cut: a TCP proxy on loopback."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from anyio.from_thread import BlockingPortal, start_blocking_portal

WAIT_SECONDS = 60.0
_PIECE = 65_536


class Cable:
    """Passes bytes on, both ways, until it is cut. Its methods may be called from any thread.

    Args:
        portal: the thread it lives in.
        port: of the server on loopback.

    Attributes:
        url: where clients find it, as an HTTP address.
        connections: how many clients have come.
        passed: bytes that went from the server to clients.
    """

    def __init__(self, portal: BlockingPortal, port: int) -> None:
        self.url = ""
        self.connections = 0
        self.passed = 0
        self._portal = portal
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._unplugged = False
        self._deaf = False
        self._turned_away = 0
        self._cut_after: int | None = None
        self._left = 0
        self._news = threading.Condition()

    def cut(self) -> None:
        """Break every connection off, as a router that restarts does. New ones are welcome."""
        self._portal.call(self._cut)

    def cut_after_each(self, size: int | None) -> None:
        """Break off whenever so many more bytes have come from the server, wherever in a frame that is; None: no more."""
        self._cut_after, self._left = size, size or 0

    def deafen(self) -> None:
        """Swallow what the server says on the connections there are, and cut them only when asked to."""
        self._deaf = True

    def refused(self, times: int) -> None:
        """Wait until so many clients have found the cable unplugged."""
        with self._news:
            assert self._news.wait_for(lambda: self._turned_away >= times, WAIT_SECONDS), "nobody tried again"

    def unplug(self) -> None:
        """Cut, and let nobody in."""
        self._unplugged = True
        self.cut()

    def plug_in(self) -> None:
        """Let people in again."""
        self._unplugged = False

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen until the body ends."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            self._cut()
            await server.wait_closed()

    def _cut(self) -> None:
        self._deaf = False
        for writer in self._open:
            opened = writer.get_extra_info("socket")
            with suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no farewell
            writer.transport.abort()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._unplugged:
            writer.transport.abort()
            with self._news:
                self._turned_away += 1
                self._news.notify_all()
            return
        self.connections += 1
        try:
            there, here = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, here}
        self._open |= both
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass(reader, here, down=False))
                ways.create_task(self._pass(there, writer, down=True))
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if down and self._deaf:
                    continue
                over = down and self._cut_after is not None and len(data) >= self._left
                data = data[: self._left] if over else data
                writer.write(data)
                await writer.drain()
                if down:
                    self.passed += len(data)
                    self._left -= len(data)
                if over:
                    self._left = self._cut_after or 0
                    break
            writer.transport.abort() if down and self._cut_after else writer.write_eof()


@contextmanager
def cable_to(port: int) -> Iterator[Cable]:
    """A cable to a server on loopback, in a thread of its own, until the body ends."""
    with start_blocking_portal() as portal:
        cable = Cable(portal, port)
        with portal.wrap_async_context_manager(cable.serving()):
            yield cable

"""Something that answers where Permit.io should: late, rudely, nonsense, or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


def saying(body: Any, status: int = 200, **headers: str) -> Reply:
    """A reply with a JSON body."""
    return status, {"content-type": "application/json", **headers}, json.dumps(body).encode()


@dataclass
class FakePermit:
    """A server whose next answers a test decides; ``asked`` keeps every request line."""

    answer: Callable[[str, str], Reply | None]
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                length = 0
                while (header := await reader.readline()).strip():
                    name, _, value = header.decode().partition(":")
                    length = int(value) if name.lower() == "content-length" else length
                await reader.readexactly(length)
                self.asked.append((method, path))
                reply = self.answer(method, path)
                if reply is None:  # never
                    await reader.read()
                    return
                status, headers, body = reply
                lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
                head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
                writer.write(head.encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            self.open.discard(writer)
            writer.close()


@asynccontextmanager
async def fake_permit(answer: Callable[[str, str], Reply | None]) -> AsyncIterator[FakePermit]:
    """Serve on a free port of this machine until the body ends."""
    fake = FakePermit(answer)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        for writer in list(fake.open):
            writer.close()
        await server.wait_closed()

"""A client written from nothing but the guide: it knows ``text``, ``status``, ``history_update`` and ``error``.

Like the guide's it keeps the history the server sends, sends it back with every message, and waits while a message is
processed: until the next ``history_update`` or ``error``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets

WAIT_SECONDS = 45


async def login(url: str, username: str, password: str) -> str | None:
    """The guide's log-in."""
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(
            f"{url}/token",
            data={"username": username, "password": password},
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    return str(response.json()["access_token"]) if response.status_code == 200 else None


class GuideClient:
    """The guide's chat."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self.history: list[dict[str, Any]] = []

    @classmethod
    @asynccontextmanager
    async def chatting(cls, url: str, token: str) -> AsyncIterator[GuideClient]:
        """Open the chat. Frames are at most 1 MiB, the library's own limit."""
        address = url.replace("http", "ws", 1) + "/ws/chat"
        headers = {"Authorization": f"Bearer {token}"}
        async with websockets.connect(address, additional_headers=headers, proxy=None) as socket:
            yield cls(socket)

    async def say(self, message: str) -> str:
        """Send a message; everything that was printed until the next message may be typed."""
        await self._socket.send(json.dumps({"message": message, "history": self.history}))
        printed: list[str] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                data = json.loads(await self._socket.recv())
                content = data.get("content")
                match data.get("type"):
                    case "text":
                        printed.append(f"Assistant: {content}")
                    case "status":
                        printed.append(f"[Status] {content}")
                    case "error":
                        return "\n".join([*printed, f"Error: {content}"])
                    case "history_update":
                        self.history = content
                        return "\n".join(printed)

"""The way out of a session: frames in order, and an end to the patience with a client that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from family_food.chat.protocol import ServerFrameModel

QUEUE_FRAMES = 256
SLOW_SECONDS = 20.0
"""How long a full queue may stay full before the client counts as too slow."""


class ClientGone(Exception):
    """Nobody reads any more: the socket is closed, or the client is too slow."""


class Outgoing:
    """A bounded queue in front of one socket, written by one task.

    Args:
        write: sends one text frame; raises when the socket is closed.
    """

    def __init__(self, write: Callable[[str], Awaitable[None]], slow_seconds: float = SLOW_SECONDS) -> None:
        self._write = write
        self._slow_seconds = slow_seconds
        self._queue: asyncio.Queue[ServerFrameModel] = asyncio.Queue(QUEUE_FRAMES)
        self.too_slow = asyncio.Event()

    async def send(self, frame: ServerFrameModel) -> None:
        """Put a frame in line; waits for room, which is what slows a turn down to its reader's pace.

        Raises:
            ClientGone: there was no room for too long.
        """
        if self.too_slow.is_set():
            raise ClientGone
        try:
            async with asyncio.timeout(self._slow_seconds):
                await self._queue.put(frame)
        except TimeoutError:
            self.too_slow.set()
            raise ClientGone from None

    async def run(self) -> None:
        """Write what is in line, for ever.

        Raises:
            Exception: whatever a closed socket raises.
        """
        while True:
            frame = await self._queue.get()
            try:
                await self._write(frame.model_dump_json())
            finally:
                self._queue.task_done()

    async def drained(self, seconds: float) -> bool:
        """Whether everything in line was written within this time."""
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            return False
        return True

"""Work that follows what was written to the log: a task that is woken, works until nothing is left, and ends."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from permit_core.errors import PermitError

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 30.0


class Trailing:
    """Does something a while after it was woken.

    Args:
        name: what it does, for the program's log.
        work: one round; answers whether something is left that cannot be done yet. When it raises, it is done again,
            after pauses that grow.
        pause_seconds: how long after the first wake a round begins.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], pause_seconds: float) -> None:
        self._name = name
        self._work = work
        self._pause_seconds = pause_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._armed = False
        self._hurried = asyncio.Event()
        self._closed = False

    def belong(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which event loop the task is to run in."""
        self._loop = loop

    def wake(self, *, hurry: bool = False) -> None:
        """There is something to do; at once when ``hurry``. May be called in any thread."""
        if (self._armed and not hurry) or self._closed or self._loop is None or self._loop.is_closed():
            return
        self._armed = True
        self._loop.call_soon_threadsafe(self._start, hurry)

    def _start(self, hurry: bool) -> None:
        if hurry:
            self._hurried.set()
        if not self._closed and (self._task is None or self._task.done()):
            # A context of its own: it outlives the call that woke it.
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())

    async def _run(self) -> None:
        pause = self._pause_seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurried.wait()
            self._hurried.clear()
            self._armed = False
            if await self._round():
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            elif self._armed:
                pause = self._pause_seconds
            else:
                return

    async def _round(self) -> bool:
        try:
            return await self._work()
        except PermitError as error:
            logger.warning("%s: %s", self._name, error)
        except Exception:
            logger.exception("%s failed", self._name)
        return True

    async def close(self) -> None:
        """End the task; what is left is done once more, now."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._round()

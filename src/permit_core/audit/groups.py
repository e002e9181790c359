"""Group commit: the events of many calls are written in one transaction, in the order in which they came."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from permit_core.errors import StoreError

logger = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = 256
"""How many events one transaction holds, unless one call alone has more."""

MOST_WAITING = 10_240
"""How many events may wait; beyond, whoever brings more waits for room."""


class Group(Generic[T]):
    """Events that are committed together."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self.durable = False
        self._ended = False
        self._error: Exception | None = None
        self._waiting: list[asyncio.Future[None]] = []

    async def committed(self) -> None:
        """Wait until it is.

        Raises:
            StoreError: it could not be; none of it is in the log.
        """
        if not self._ended:
            # One for each that waits: who is cancelled takes nobody along.
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        if self._error is not None:
            raise self._error

    def end(self, error: Exception | None = None) -> None:
        """It is committed, or could not be."""
        if self._ended:
            return
        self._ended, self._error = True, error
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)


class GroupCommit(Generic[T]):
    """The queue of one environment. Its task runs while there is something to write.

    Args:
        write: commits items in their order, or raises and commits none; waits for the disk when told to.
    """

    def __init__(self, write: Callable[[Sequence[T], bool], Awaitable[None]]) -> None:
        self._write = write
        self._groups: deque[Group[T]] = deque()
        self._writing: Group[T] | None = None
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    async def room(self) -> None:
        """Wait until there is room for more.

        Raises:
            StoreError: nothing could be written, so that there is none.
        """
        while self._waiting >= MOST_WAITING:
            await self._groups[0].committed()

    def take(self, items: Sequence[T], *, durable: bool) -> Group[T]:
        """Queue items; answers their group. Wait for :meth:`room` before."""
        group = self._groups[-1] if self._groups else None
        if group is None or group is self._writing or len(group.items) >= GROUP:
            group = Group()
            self._groups.append(group)
        group.items.extend(items)
        group.durable = group.durable or durable
        self._waiting += len(items)
        if self._task is None:
            # A context of its own: it outlives the call that began it.
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())
        return group

    async def flush(self) -> None:
        """Wait until everything that was taken is committed.

        Raises:
            StoreError: some of it could not be.
        """
        for group in list(self._groups):
            await group.committed()

    async def _run(self) -> None:
        try:
            while self._groups:
                self._writing = self._groups[0]
                await self._commit(self._writing)
                self._waiting -= len(self._groups.popleft().items)
        finally:
            self._task = None
            while self._groups:  # the event loop ends
                self._groups.popleft().end(StoreError("the audit log was closed before it was written"))
            self._waiting = 0

    async def _commit(self, group: Group[T]) -> None:
        try:
            await self._write(group.items, group.durable)
        except StoreError as error:
            # The database has logged why, once for the whole outage.
            logger.debug("%d audit records could not be written: %s", len(group.items), error)
            group.end(error)
        except Exception as error:
            logger.exception("%d audit records could not be written", len(group.items))
            group.end(error)
        else:
            group.end()

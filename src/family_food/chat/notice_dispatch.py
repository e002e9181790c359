"""Telling open sessions what concerns them: one poller for the whole server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from permit_core.errors import StoreError
from permit_core.stores.notices import Notice

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
_AFTER_FAILURE_SECONDS = 2.0


class Listener(Protocol):
    """An open session."""

    def notify(self, notice: Notice) -> None:
        """Take a notice; showing it, once, and marking it delivered is the session's business."""
        ...


class Board(Protocol):
    """Where notices are written, by whatever process."""

    async def latest_id(self) -> int:
        """The id of the newest notice, or 0."""
        ...

    async def after(self, last_id: int) -> list[Notice]:
        """The next notices after that one, in order; ask again until nothing comes."""
        ...


class NoticeDispatch:
    """Follows the notice board and hands each notice to the sessions of its recipient.

    Args:
        board: what to follow.
        sessions_of: the open sessions of a user in a tenant.
    """

    def __init__(self, board: Board, sessions_of: Callable[[str, str], Iterable[Listener]]) -> None:
        self._board = board
        self._sessions_of = sessions_of
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether notices are being followed."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Follow the board from its end; what is older is each session's to fetch when it begins."""
        self._task = asyncio.create_task(self._follow(await self._board.latest_id()), name="notice dispatch")

    async def stop(self) -> None:
        """Follow it no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def wake(self) -> None:
        """Look at once: something has probably been written."""
        self._woken.set()

    async def _follow(self, last_id: int) -> None:
        while True:
            pause = POLL_SECONDS
            try:
                while notices := await self._board.after(last_id):
                    for notice in notices:
                        last_id = notice.id
                        for session in self._sessions_of(notice.recipient, notice.tenant):
                            session.notify(notice)
            except StoreError:
                pause = _AFTER_FAILURE_SECONDS  # the database has logged it, once for the whole outage
            except Exception:
                logger.exception("notices cannot be read; trying again")
                pause = _AFTER_FAILURE_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

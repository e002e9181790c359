"""Entries on their way into the database, while a model is already thinking about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from family_food.chat.interruption import over
from family_food.messages import Entry
from permit_core.errors import PermitError


class NotWritten(PermitError):
    """The database did not take them; its cause says why."""


class Pending:
    """Writes at once. It is never cancelled: what was begun is either kept or not.

    Args:
        entries: what is written.
        write: writes them, and adds them to the conversation.
        then: what is to happen next, before anybody is told that they are written.

    Attributes:
        kept: the conversation has them.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        write: Coroutine[Any, Any, object],
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.entries = entries
        self.kept = False
        self._then = then
        self._task = asyncio.create_task(self._run(write), name="chat entries")

    @property
    def refused(self) -> BaseException | None:
        """Why the database did not take them; None when it did, or it is not known yet."""
        return self._task.exception() if self._task.done() and not self.kept else None

    async def written(self) -> None:
        """Wait until they are written.

        Raises:
            NotWritten: they are not.
        """
        await over(self._task)
        error = self._task.exception()
        if error is not None:
            raise NotWritten from error

    async def _run(self, write: Coroutine[Any, Any, object]) -> None:
        await write
        self.kept = True
        if self._then is not None:
            await self._then()

"""Showing committed records to a program of the operator's: its own structured log, a queue, a pager."""

from __future__ import annotations

import asyncio
import logging
import pkgutil
from collections.abc import Awaitable, Callable
from typing import cast

from sqlalchemy import select

from permit_core.audit.rows import record_of, stored
from permit_core.audit.trailing import Trailing
from permit_core.database import Database
from permit_core.errors import ConfigurationError
from permit_core.ports.record import AuditRecord
from permit_core.stores.tables import audit_records

logger = logging.getLogger(__name__)

SECONDS = 0.1
BATCH = 500
HOOK_SECONDS = 30.0
"""How long a hook may take for one record."""

MOST_ROUNDS = 10
"""How often a record is looked for that was appended: its transaction may be open still, or was rolled back."""

RecordHook = Callable[[AuditRecord], Awaitable[None] | None]
"""Is given each record once it is committed, in the order of its environment. It may be asynchronous."""


def load_hook(reference: str) -> RecordHook:
    """The hook that ``package.module:function`` names.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        hook = pkgutil.resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"the record hook {reference!r} cannot be loaded: {error}") from error
    if not callable(hook):
        raise ConfigurationError(f"the record hook {reference!r} cannot be called")
    return cast("RecordHook", hook)


class RecordHooks:
    """Reads behind the log, and gives each hook what is new since this process first wrote.

    A hook that fails is given the same record again, after pauses that grow; the log and whoever writes to it do not
    wait for it. Each hook has a place of its own.

    Args:
        database: where the log is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hooks: list[RecordHook] = []
        self._written: dict[str, int] = {}
        self._places: dict[tuple[int, str], int] = {}  # the last record that each hook was shown
        self._rounds: dict[str, int] = {}
        self._trailing = Trailing("showing audit records to hooks", self._show_all, SECONDS)

    def add(self, hook: RecordHook) -> None:
        """Show a hook what is written from now on."""
        for environment, written in self._written.items():
            self._places[len(self._hooks), environment] = written
        self._hooks.append(hook)

    def belong(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which event loop the hooks are to run in."""
        self._trailing.belong(loop)

    def wrote(self, environment: str, first: int, last: int) -> None:
        """Records were written, and are or will be committed. May be called in any thread."""
        if not self._hooks:
            return
        for number in range(len(self._hooks)):
            self._places.setdefault((number, environment), first - 1)
        self._written[environment] = last
        self._trailing.wake()

    async def close(self) -> None:
        """Show what is left once more; say which hook has not seen it."""
        await self._trailing.close()
        for (number, environment), place in self._places.items():
            if place < self._written.get(environment, 0):
                logger.error(
                    "%s has not seen the audit records of %s from %d on", self._hooks[number], environment, place + 1
                )

    async def _show_all(self) -> bool:
        left = False
        for environment, written in list(self._written.items()):
            shown = [await self._show(number, environment) for number in range(len(self._hooks))]
            behind = min(self._places[number, environment] for number in range(len(self._hooks)))
            if behind >= written:
                self._rounds.pop(environment, None)
            elif not all(shown):
                left = True
            else:  # what was appended is not committed yet, or never will be
                rounds = self._rounds[environment] = self._rounds.get(environment, 0) + 1
                if rounds > MOST_ROUNDS:
                    self._written[environment] = behind
                left = left or rounds <= MOST_ROUNDS
        return left

    async def _show(self, number: int, environment: str) -> bool:
        """Show one hook what it has not seen; whether it has seen all that there is."""
        hook, key = self._hooks[number], (number, environment)
        while records := await self._after(environment, self._places[key]):
            for record in records:
                try:
                    async with asyncio.timeout(HOOK_SECONDS):
                        waited_for = await asyncio.to_thread(hook, record)
                        if waited_for is not None:
                            await waited_for
                except Exception:
                    logger.exception("%s failed at audit record %d of %s", hook, record.seq, environment)
                    return False
                self._places[key] = record.seq
        return True

    async def _after(self, environment: str, seq: int) -> list[AuditRecord]:
        query = select(audit_records).where(audit_records.c.environment == environment, audit_records.c.seq > seq)
        async with self._database.reading() as reading:
            rows = await reading.execute(query.order_by(audit_records.c.seq).limit(BATCH))
            return [record_of(stored(row)) for row in rows]

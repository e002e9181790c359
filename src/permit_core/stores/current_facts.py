"""The facts as they are now, without reading them all each time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from permit_core.clock import Clock, utc_now
from permit_core.database import Database, Transaction
from permit_core.entries import RoleAssignment
from permit_core.policy.facts import FactChange, Facts
from permit_core.stores.facts import FactStore, FactsVersion, collector_resting

_Key = RoleAssignment
"""An assignment without its end."""


@dataclass(frozen=True, slots=True)
class _Kept:
    version: FactsVersion
    facts: Facts
    ends: dict[_Key, datetime]
    """When roles end that have an end, and count still."""
    next_end: datetime | None

    def patched(self, version: FactsVersion, changes: list[FactChange], now: datetime) -> _Kept:
        """The state after these changes, at ``now``."""
        ends = self.ends
        given = [each for each in changes if isinstance(each.entry, RoleAssignment)]
        if given or (self.next_end is not None and self.next_end <= now):
            ends = dict(ends)
            for change in given:
                key = _key(change.entry)
                ends.pop(key, None)
                if not change.removed and change.entry.expires_at is not None:  # type: ignore[union-attr]
                    ends[key] = change.entry.expires_at  # type: ignore[union-attr]
            over = [key for key, end in ends.items() if end <= now]
            changes = [*changes, *(FactChange(key, removed=True) for key in over)]
            for key in over:
                del ends[key]
        return _Kept(version, self.facts.patched(changes), ends, min(ends.values(), default=None))


class CurrentFacts:
    """A snapshot of the facts of each environment, patched when the state in the database is another one.

    The state is looked at each time, so a fact counts from the moment it is committed, in whatever process, and a role
    that has an end counts until that very moment.

    Args:
        store: where the facts are kept.
        database: read when no transaction is handed in.
        clock: the present moment, in UTC.
    """

    def __init__(self, store: FactStore, database: Database, clock: Clock = utc_now) -> None:
        self._store = store
        self._database = database
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def peek(self, environment: str, version: FactsVersion | None = None) -> Facts | None:
        """The facts as they are committed at this moment; None when that cannot be said without waiting.

        Args:
            environment: whose facts.
            version: the state that is committed, where the caller has just looked.
        """
        kept = self._kept.get(environment)
        if kept is not None and version is None:
            version = self._store.peek(environment, self._database)
        if kept is None or version is None:
            return None
        if kept.version != version:
            changes = self._store.peek_changes(environment, self._database, kept.version, version)
            if changes is None:
                return None
            kept = self._kept[environment] = kept.patched(version, changes, self._clock())
        if kept.next_end is not None and kept.next_end <= self._clock():
            return None
        return kept.facts

    async def facts(self, environment: str, transaction: Transaction | None = None) -> Facts:
        """The facts as ``transaction`` sees them, or as they are committed.

        Raises:
            StoreError: the database is unreachable.
        """
        return (await self.state(environment, transaction))[1]

    def forget(self, environment: str) -> None:
        """Keep nothing of an environment until it is asked for again."""
        self._kept.pop(environment, None)

    async def state(
        self, environment: str, transaction: Transaction | None = None, *, committed: bool = False
    ) -> tuple[FactsVersion, Facts]:
        """The same, and which state of the facts it is.

        Args:
            environment: whose facts.
            transaction: what sees them; None: one of its own, that reads.
            committed: the transaction only reads, so that others will see what it sees.

        Raises:
            StoreError: the database is unreachable.
        """
        if transaction is None:
            await self._database.open_peek()
        kept = self._kept.get(environment)
        read = None
        async with self._database.joined(transaction) as reading:
            changes: list[FactChange] | None = None
            if kept is None:
                version = await self._store.version(environment, reading)
            else:
                version, changes = await self._store.changes(environment, reading, kept.version)
            if kept is None or changes is None:
                read = await self._read(environment, reading, version)
        now = self._clock()
        if read is not None:
            kept = read
        elif kept is None:
            raise AssertionError("facts were read or kept")
        if changes or (kept.next_end is not None and kept.next_end <= now):
            kept = kept.patched(version, changes or [], now)
        if transaction is None or committed or environment not in self._kept:
            # What is not committed is kept where nothing is yet: should it roll back, its stamp is never seen again.
            self._kept[environment] = kept
        return kept.version, kept.facts

    async def _read(self, environment: str, reading: Transaction, version: FactsVersion) -> _Kept:
        """Everything, indexed."""
        with collector_resting():
            stored = await self._store.stored(environment, reading)
            now = self._clock()
            # In a thread of its own: indexing many facts takes long, and whoever else waits shall go on.
            facts = await asyncio.to_thread(stored.indexed, now)
        ends = {_key(each): each.expires_at for each in stored.assignments if each.expires_at is not None}
        ends = {key: end for key, end in ends.items() if end > now}
        return _Kept(version, facts, ends, min(ends.values(), default=None))


def _key(entry: object) -> _Key:
    if not isinstance(entry, RoleAssignment):
        raise TypeError("not a role")
    return replace(entry, expires_at=None)

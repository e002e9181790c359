"""The facts as they are now, without reading them all each time."""

from __future__ import annotations

from permit_core.database import Database, Transaction
from permit_core.policy.facts import Facts
from permit_core.stores.facts import FactStore, FactsVersion


class CurrentFacts:
    """A snapshot of the facts, kept until the version in the database is another one.

    The version is looked at each time, so a fact counts from the moment it is committed, in whatever process.

    Args:
        store: where the facts are kept.
        database: read when no transaction is handed in.
    """

    def __init__(self, store: FactStore, database: Database) -> None:
        self._store = store
        self._database = database
        self._kept: tuple[FactsVersion, Facts] | None = None

    def at_hand(self) -> Facts | None:
        """The facts as they are committed at this moment; None when that cannot be said without waiting."""
        kept = self._kept
        return kept[1] if kept is not None and kept[0] == self._store.glance(self._database) else None

    async def facts(self, transaction: Transaction | None = None) -> Facts:
        """The facts as ``transaction`` sees them, or as they are committed.

        Raises:
            StoreError: the database is unreachable.
        """
        return (await self.state(transaction))[1]

    async def state(self, transaction: Transaction | None = None) -> tuple[FactsVersion, Facts]:
        """The same, and which state of the facts it is.

        Raises:
            StoreError: the database is unreachable.
        """
        if transaction is None:
            await self._database.open_glance()
        async with self._database.joined(transaction) as reading:
            version = await self._store.version(reading)
            kept = self._kept
            if kept is not None and kept[0] == version:
                return kept
            facts = await self._store.snapshot(reading)
        # Also when the transaction has not committed: should it roll back, its stamp is never seen again.
        self._kept = (version, facts)
        return self._kept

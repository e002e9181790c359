"""The ports of remembering: what writes to the log, and what the log is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from permit_core.database import Transaction
from permit_core.ports.record import AuditEvent, AuditRecord


class Audit(Protocol):
    """Append-only. There is no way to change or remove a record."""

    async def append(self, transaction: Transaction, *events: AuditEvent) -> None:
        """Record events in the transaction of what they record: both happen or neither."""
        ...

    def append_now(self, connection: Connection, *events: AuditEvent) -> None:
        """The same for a function that :meth:`permit_core.database.Database.write` runs."""
        ...

    async def note(self, *events: AuditEvent, durable: bool = True) -> None:
        """Record events that have no effect of their own, a call or a failed log-in, together with those of others.

        Returns when they are committed. With ``durable=False`` a power cut may take the last of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing that the log and the database tell differently: what, and in which way, in words.

    ``seq`` is the record that tells of it; None when no record does.
    """

    subject: str
    text: str
    seq: int | None = None


class Comparison(Protocol):
    """Compares the log of one environment with what it is evidence of. Made anew for each verification."""

    def see(self, record: AuditRecord) -> None:
        """Take the next record, in their order."""
        ...

    async def differences(self, reading: Transaction, environment: str) -> list[Discrepancy]:
        """After the last record: what stands in the database otherwise, or in one of the two only."""
        ...

"""The port every remembered event goes through."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection

from permit_core.database import Transaction
from permit_core.ports.record import AuditEvent


class Audit(Protocol):
    """Append-only. There is no way to change or remove a record."""

    async def append(self, transaction: Transaction, *events: AuditEvent) -> None:
        """Record events in the transaction of what they record: both happen or neither."""
        ...

    def append_now(self, connection: Connection, *events: AuditEvent) -> None:
        """The same for a function that :meth:`permit_core.database.Database.write` runs."""
        ...

    async def record(self, *events: AuditEvent, durable: bool = True) -> None:
        """Record events that have no effect of their own, a refused call or a failed login, in their own transaction.

        With ``durable=False`` a power cut may take the last of them.
        """
        ...

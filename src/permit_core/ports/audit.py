"""The port every remembered event goes through."""

from __future__ import annotations

from typing import Protocol

from permit_core.database import Transaction
from permit_core.ports.record import AuditEvent


class Audit(Protocol):
    """Append-only. There is no way to change or remove a record."""

    async def append(self, transaction: Transaction, *events: AuditEvent) -> None:
        """Record events in the transaction of what they record: both happen or neither."""
        ...

    async def record(self, *events: AuditEvent) -> None:
        """Record events that have no effect of their own, a refused call or a failed login, in their own transaction."""
        ...

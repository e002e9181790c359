"""Orders, held against the audit log: the entry point ``orders`` of ``permit_mcp.audit_comparisons``."""

from __future__ import annotations

from family_food.tables import orders
from permit_core.audit.comparisons import Told, rows_of, told_differently
from permit_core.database import Transaction
from permit_core.ports.audit import Discrepancy
from permit_core.ports.record import AuditRecord


class OrderComparison:
    """Orders: who ordered which dish, at which price, with which approval."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def see(self, record: AuditRecord) -> None:
        """Take the next record."""
        if record.event != "order.placed":
            return
        body = record.body
        fields = {"user": record.user, "tenant": record.tenant, "approval": str(body.get("approval_id") or "")}
        fields |= {"dish": str(body.get("dish_key")), "price in cents": str(body.get("price_cents"))}
        self._told[str(body.get("id"))] = Told(fields, record.seq)

    async def differences(self, reading: Transaction, environment: str) -> list[Discrepancy]:
        """After the last record: what stands in the database otherwise, or in one of the two only."""
        found: list[Discrepancy] = []
        unseen = dict(self._told)
        async for row in rows_of(reading, orders, environment):
            stored = {
                "user": row["user_key"],
                "tenant": row["tenant"],
                "approval": row["approval_id"],
                "dish": row["dish_key"],
                "price in cents": row["price_cents"],
            }
            found += told_differently(f"order {row['id']}", unseen.pop(row["id"], None), stored)
        for identity, told in unseen.items():
            found += told_differently(f"order {identity}", told, None)
        return found

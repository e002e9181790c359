"""The food ordering over the family that is shipped, in this process and in children of their own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mcp import Client, StdioServerParameters
from sqlalchemy import select

from family_food.ordering.food import Food
from family_food.ordering.orders import OrderDesk
from family_food.tables import orders
from tests.support.core import POLICIES, TENANT
from tests.support.family import Family

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


@dataclass
class Table:
    """A family that can order."""

    food: Food
    family: Family

    @property
    def desk(self) -> OrderDesk:
        return self.food.orders

    async def rows(self) -> list[tuple[str, str, int, str | None]]:
        """Every order: user, dish, price in cents, approval."""
        wanted = select(orders.c.user_key, orders.c.dish_key, orders.c.price_cents, orders.c.approval_id)
        async with self.food.core.database.reading() as reading:
            return [tuple(row) for row in await reading.execute(wanted.order_by(orders.c.placed_at))]


def child_environment(database_url: str) -> dict[str, str]:
    """The minimal environment of a child over the shipped family."""
    return {
        "DATABASE_URL": database_url,
        "POLICY_FILE": str(POLICIES / "family_food.yaml"),
        "FACTS_FILE": str(POLICIES / "family_food.facts.yaml"),
        "ACCOUNTS_FILE": str(POLICIES / "family_food.accounts.yaml"),
        "TENANT": TENANT,
        "RESOURCE_KEY": "restaurants",
        "LOG_LEVEL": "WARNING",
        "ENV_FILE": "",
    }


def food_child(database_url: str, user: str, era: str = "legacy") -> Client:
    """A client of a food server in a process of its own, bound to one user."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=[str(ROOT / "food_ordering_mcp.py"), "--acting-user", user],
        env=child_environment(database_url),
        cwd=ROOT,
    )
    return Client(parameters, mode=era, cache=None, read_timeout_seconds=START_SECONDS)

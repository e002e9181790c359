"""Orders against the audit log, in both directions."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from family_food.ordering.comparison import OrderComparison
from permit_core.audit.verify import Damage
from tests.support.ordering import Table


async def found_after(table: Table, *deeds: str) -> list[str]:
    async with table.food.core.database.transaction() as transaction:
        for deed in deeds:
            await transaction.execute(text(deed))
    report = await table.food.core.audit.verify("default", comparisons=[OrderComparison()])
    assert {problem.damage for problem in report.problems} <= {Damage.DISAGREES}
    return [problem.text for problem in report.problems]


async def test_orders_that_were_placed_are_as_the_log_tells(table_on_each: Table) -> None:
    await table_on_each.desk.place(table_on_each.family.henry, "1", "cheese pizza")
    await table_on_each.family.approved()
    await table_on_each.desk.place(table_on_each.family.henry, "1", "pepperoni pizza")
    assert await found_after(table_on_each) == []


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("UPDATE orders SET price_cents = 1", "price in cents is '1' in the database, and '899' in record "),
        ("UPDATE orders SET user_key = '4'", "user is '4' in the database, and '3' in record "),
        ("UPDATE orders SET dish_key = 'x'", "dish is 'x' in the database, and '1-cheese-pizza' in record "),
        ("UPDATE orders SET environment = 'x'", "is not in the database, and record "),
        ("DELETE FROM orders", "is not in the database, and record "),
    ],
)
async def test_an_order_that_was_changed_is_named(table: Table, deed: str, said: str) -> None:
    order = await table.desk.place(table.family.henry, "1", "cheese pizza")
    (found,) = await found_after(table, deed)
    assert found.startswith(f"order {order.id}: {said}")


async def test_an_order_that_no_record_tells_of_is_named(table: Table) -> None:
    await table.desk.place(table.family.henry, "1", "cheese pizza")
    found = await found_after(table, "UPDATE orders SET id = 'ord_forged'")
    assert "order ord_forged: is in the database, and no record tells of it" in found


async def test_a_database_without_orders_has_none_to_compare(table: Table) -> None:
    assert await found_after(table, "DROP TABLE orders") == []

"""Placing orders: the decision, the approval and the row are one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from family_food.tables import orders
from permit_core.errors import ConstraintViolated, StoreError, UserFacing
from permit_core.ports.request import RequestStatus
from tests.support.family import CHEAP_PIZZA, DEAR_BURGER, DEAR_PIZZA, OPERATION, ROLE, SUSHI_WORLD, refused
from tests.support.ordering import Table

DEAR = ("1", DEAR_PIZZA.key or "")


async def test_a_cheap_dish_is_ordered_without_asking_and_on_record(table: Table) -> None:
    order = await table.desk.place(table.family.henry, "Pizza Palace", "cheese pizza")
    dish = await table.family.instance(CHEAP_PIZZA)
    price = dish.attributes["price_cents"]
    assert (order.user_name, order.dish_key, order.price_cents) == ("Henry", CHEAP_PIZZA.key, price)
    assert await table.rows() == [("3", CHEAP_PIZZA.key, price, None)]
    placed = [record for record in await table.food.core.audit.records("default") if record.event == "order.placed"]
    assert [(record.user, record.body["id"]) for record in placed] == [("3", order.id)]


async def test_orders_of_another_environment_are_not_listed(table: Table) -> None:
    await table.desk.place(table.family.joe, "Pizza Palace", "cheese pizza")
    assert (await table.desk.list(table.family.joe)).total == 1
    assert (await table.desk.list(replace(table.family.joe, environment="another"))).total == 0


async def test_a_dear_dish_needs_an_approval_and_the_refusal_says_which(table: Table) -> None:
    error = await refused(table.desk.place(table.family.henry, *DEAR))
    assert error.code == "approval_needed"
    assert error.details["ask_for"] == [
        {"kind": "operation_approval", "resource_instance": str(DEAR_PIZZA), "operation": "order"}
    ]
    assert await table.rows() == []
    effects = [
        record.body["effect"] for record in await table.food.core.audit.records("default") if record.event == "decision"
    ]
    assert effects == ["require_approval"]


async def test_an_approval_serves_for_one_order_and_is_used_then(table_on_each: Table) -> None:
    table, family = table_on_each, table_on_each.family
    approval = await family.approved()
    order = await table.desk.place(family.henry, *DEAR)
    assert order.approval_id == approval.id
    assert (await family.stored(approval)).status is RequestStatus.USED
    assert (await refused(table.desk.place(family.henry, *DEAR))).code == "approval_used"
    assert [row[3] for row in await table.rows()] == [approval.id]


async def test_of_orders_at_the_same_moment_on_one_approval_exactly_one_is_placed(table_on_each: Table) -> None:
    table, family = table_on_each, table_on_each.family
    await family.approved()
    ended = await asyncio.gather(*(table.desk.place(family.henry, *DEAR) for _ in range(4)), return_exceptions=True)
    refusals = [each for each in ended if isinstance(each, UserFacing)]
    assert len(refusals) == 3
    assert {each.code for each in refusals} <= {"approval_used", "conflict"}
    assert len(await table.rows()) == 1


async def test_the_database_itself_refuses_a_second_order_on_one_approval(table_on_each: Table) -> None:
    table, family = table_on_each, table_on_each.family
    await family.approved()
    order = await table.desk.place(family.henry, *DEAR)
    async with table.food.core.database.reading() as reading:
        row = (await reading.execute(orders.select())).one()._asdict()
    with pytest.raises(ConstraintViolated):
        async with table.food.core.database.transaction() as transaction:
            await transaction.execute(insert(orders).values({**row, "id": "ord_other"}))
    assert len(await table.rows()) == 1
    assert order.approval_id


async def test_an_approval_for_one_dish_does_not_serve_for_another(table: Table) -> None:
    family = table.family
    approval = await family.approved(resource=DEAR_BURGER)
    assert (await refused(table.desk.place(family.henry, *DEAR))).code == "approval_needed"
    assert (await family.stored(approval)).status is RequestStatus.APPROVED


async def test_an_approval_of_somebody_elses_does_not_serve(table: Table) -> None:
    await table.family.approved(table.family.rose)
    assert (await refused(table.desk.place(table.family.henry, *DEAR))).code == "approval_needed"


async def test_an_approval_lapses(table: Table) -> None:
    approval = await table.family.approved()
    assert approval.expires_at is not None
    table.family.clock.now = approval.expires_at
    error = await refused(table.desk.place(table.family.henry, *DEAR))
    assert error.code == "approval_expired"
    assert error.details["ask_for"]
    assert await table.rows() == []


async def test_an_approval_does_not_serve_at_a_higher_price_but_at_a_lower_one(table: Table) -> None:
    approval = await table.family.approved()
    await table.family.costs(+1)
    assert (await refused(table.desk.place(table.family.henry, *DEAR))).code == "approval_mismatch"
    await table.family.costs(-2)
    order = await table.desk.place(table.family.henry, *DEAR)
    assert order.price_cents == approval.pinned["price_cents"] - 1


async def test_a_pending_and_a_denied_request_do_not_serve(table: Table) -> None:
    family = table.family
    asked = await family.asks_operation()
    error = await refused(table.desk.place(family.henry, *DEAR))
    assert (error.code, error.details["request_id"]) == ("approval_pending", asked.id)
    await family.core.approvals.deny(family.joe, OPERATION, asked.id, "No")
    assert (await refused(table.desk.place(family.henry, *DEAR))).code == "approval_denied"


async def test_a_cheap_order_does_not_use_up_an_approval(table: Table) -> None:
    family = table.family
    approval = await family.approved()
    await table.desk.place(family.henry, "1", CHEAP_PIZZA.key or "")
    assert (await family.stored(approval)).status is RequestStatus.APPROVED
    # Nor does the approved dish itself, once it has become cheap enough to be ordered by anybody.
    dish = await family.instance(DEAR_PIZZA)
    await family.costs(-dish.attributes["price_cents"])
    assert (await table.desk.place(family.henry, *DEAR)).approval_id is None
    assert (await family.stored(approval)).status is RequestStatus.APPROVED


async def test_an_approval_does_not_outlive_the_access_it_was_asked_with(table: Table) -> None:
    family = table.family
    await family.gives(family.henry, ROLE, SUSHI_WORLD)
    from tests.support.family import HIDDEN_DISH

    await family.approved(resource=HIDDEN_DISH)
    await family.takes(family.henry, ROLE, SUSHI_WORLD)
    assert (await refused(table.desk.place(family.henry, "4", HIDDEN_DISH.key or ""))).code == "access_denied"
    assert await table.rows() == []


async def test_when_the_order_cannot_be_recorded_nothing_has_happened(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = await table.family.approved()
    kept = table.food.core.audit.append

    async def fails(transaction: Any, *events: Any) -> None:
        if any(event.event == "order.placed" for event in events):
            raise StoreError("disk full")
        await kept(transaction, *events)

    monkeypatch.setattr(table.food.core.audit, "append", fails)
    with pytest.raises(StoreError):
        await table.desk.place(table.family.henry, *DEAR)
    assert await table.rows() == []
    assert (await table.family.stored(approval)).status is RequestStatus.APPROVED


async def test_a_dish_that_goes_while_it_is_being_ordered_is_not_ordered(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = table.food.menu.find_dish

    async def then_it_goes(*arguments: Any) -> Any:
        dish = await found(*arguments)
        await table.family.remove(CHEAP_PIZZA)
        return dish

    monkeypatch.setattr(table.food.menu, "find_dish", then_it_goes)
    assert (await refused(table.desk.place(table.family.henry, "1", "cheese"))).code == "no_such_dish"
    assert await table.rows() == []

"""The menu, and that its marks are true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from family_food.ordering.menu import price_text
from family_food.ordering.orders import ORDERS
from permit_core.access import ResourceRef
from permit_core.errors import Forbidden, UserFacing
from permit_core.identity import Actor
from tests.support.core import ENVIRONMENT, TENANT
from tests.support.family import CHEAP_PIZZA, DEAR_PIZZA, ROLE, SUSHI_WORLD, refused
from tests.support.ordering import Table


async def marks_of(table: Table, who: Actor, restaurant: str) -> dict[str, str]:
    """What the menu says of each dish; nothing when it is closed."""
    try:
        menu = await table.food.menu.dishes(who, restaurant)
    except Forbidden:
        return {}
    return {dish.key: dish.order for dish in menu.dishes}


async def outcome(table: Table, who: Actor, restaurant: str, dish: str) -> str:
    """What becomes of an order, in the words of the menu's marks."""
    try:
        order = await table.desk.place(who, restaurant, dish)
    except UserFacing as error:
        return "denied" if error.code == "access_denied" else "needs_approval"
    return "allowed" if order.approval_id is None else "approved"


async def test_every_mark_is_what_an_order_of_that_dish_then_gets(table: Table) -> None:
    family = table.family
    await family.approved(family.rose, DEAR_PIZZA)
    await family.gives(family.henry, ROLE, SUSHI_WORLD)
    people = [family.joe, family.jane, family.henry, family.rose]
    places = (await family.core.directory.instances(ENVIRONMENT, TENANT, "restaurants")).items
    seen = set()
    for who in people:
        for place in places:
            key = place.ref.key or ""
            dishes = await family.core.directory.objects(ENVIRONMENT, TENANT, place.ref, "restaurant")
            marks = await marks_of(table, who, key) or dict.fromkeys([dish.ref.key or "" for dish in dishes], "denied")
            assert marks.keys() == {dish.ref.key for dish in dishes}
            for dish, mark in marks.items():
                assert await outcome(table, who, key, dish) == mark, (who.name, dish)
                seen.add(mark)
    assert seen == {"allowed", "needs_approval", "approved", "denied"}


async def test_a_menu_that_is_closed_to_somebody_says_what_to_ask_for(table: Table) -> None:
    error = await refused(table.food.menu.dishes(table.family.henry, "4"))
    assert error.code == "access_denied"
    assert error.details["ask_for"] == [{"kind": "access_request", "resource_instance": str(SUSHI_WORLD), "role": ROLE}]


@pytest.mark.parametrize("restaurant", ["1", "restaurants:1", "Pizza Palace", " pizza palace", "pizza", "Piza Palase"])
async def test_a_restaurant_is_found_by_key_instance_or_name(table: Table, restaurant: str) -> None:
    assert (await table.food.menu.dishes(table.family.henry, restaurant)).restaurant_key == "1"


@pytest.mark.parametrize(
    ("restaurant", "code"),
    [
        ("9", "no_such_restaurant"),
        ("../../x", "no_such_restaurant"),
        ("restaurants:../../x", "invalid_resource"),
        ("dishes:1-cheese-pizza", "no_such_restaurant"),
        ("", "no_such_restaurant"),
    ],
)
async def test_a_restaurant_that_there_is_not_is_refused(table: Table, restaurant: str, code: str) -> None:
    assert (await refused(table.food.menu.dishes(table.family.henry, restaurant))).code == code


async def test_two_restaurants_of_one_name_must_be_told_apart(table: Table) -> None:
    palace = await table.family.instance(ResourceRef("restaurants", "1"))
    await table.food.core.directory.put_instance(
        table.food.core.system, replace(palace, ref=ResourceRef("restaurants", "5"))
    )
    error = await refused(table.food.menu.dishes(table.family.joe, "Pizza Palace"))
    assert error.code == "ambiguous_restaurant"
    assert [each["key"] for each in error.details["candidates"]] == ["1", "5"]


@pytest.mark.parametrize("dish", ["1-cheese-pizza", "dishes:1-cheese-pizza", "Cheese Pizza", "chese", "CHEESE pizza"])
async def test_a_dish_is_found_by_key_instance_or_name(table: Table, dish: str) -> None:
    place = await table.family.instance(ResourceRef("restaurants", "1"))
    found = await table.food.menu.find_dish(table.family.henry, place, dish)
    assert found.instance.ref == CHEAP_PIZZA


@pytest.mark.parametrize(
    ("dish", "code"),
    [
        ("pizza", "ambiguous_dish"),
        ("Moon Cheese", "no_such_dish"),
        ("../../x", "no_such_dish"),
        ("Deluxe Burger", "wrong_restaurant"),
        ("2-deluxe-burger", "wrong_restaurant"),
        ("Sushi Platter", "no_such_dish"),  # whose restaurant is closed to Henry
        ("4-sushi-platter", "no_such_dish"),
    ],
)
async def test_a_dish_that_is_not_there_is_refused_with_the_reason(table: Table, dish: str, code: str) -> None:
    error = await refused(table.desk.place(table.family.henry, "1", dish))
    assert error.code == code
    assert error.hint
    if code == "ambiguous_dish":
        assert len(error.details["candidates"]) == 3
    if code == "wrong_restaurant":
        assert "Burger Bonanza" in error.hint
    assert await table.rows() == []


async def test_a_dish_without_a_price_in_cents_is_not_on_the_menu(table: Table) -> None:
    dish = await table.family.instance(CHEAP_PIZZA)
    name = {"name": dish.name}
    for attributes in (name, {**name, "price_cents": 8.99}, {**name, "price_cents": -1}):
        await table.food.core.directory.put_instance(table.food.core.system, replace(dish, attributes=attributes))
        menu = await table.food.menu.dishes(table.family.joe, "1")
        assert CHEAP_PIZZA.key not in [each.key for each in menu.dishes]
        assert (await refused(table.desk.place(table.family.joe, "1", "1-cheese-pizza"))).code == "no_such_dish"


async def test_only_whom_the_policy_lets_read_orders_sees_the_familys(table: Table) -> None:
    family = table.family
    await table.desk.place(family.henry, "1", "cheese")
    await table.desk.place(family.joe, "3", "escargot")
    assert [order.user_name for order in (await table.desk.list(family.henry)).orders] == ["Henry"]
    assert (await table.desk.list(family.rose)).total == 0
    assert {order.user_name for order in (await table.desk.list(family.jane)).orders} == {"Henry", "Joe"}
    assert await family.may(family.jane, "read", ResourceRef(ORDERS))
    page = await table.desk.list(family.jane, page=2, per_page=1)
    assert (len(page.orders), page.total, page.page) == (1, 2, 2)
    assert (await refused(table.desk.list(family.jane, page=0))).code == "invalid_page"


@pytest.mark.parametrize(("cents", "shown"), [(0, "0.00"), (5, "0.05"), (1000, "10.00"), (2299, "22.99")])
def test_a_price_is_shown_with_two_digits_after_the_point(cents: int, shown: str) -> None:
    assert price_text(cents) == shown

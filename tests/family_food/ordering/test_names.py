"""Names as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from family_food.ordering.names import find

MENU = {
    "1-cheese-pizza": "Cheese Pizza",
    "1-pepperoni-pizza": "Pepperoni Pizza",
    "2-classic-burger": "Classic Burger",
    "4-sushi-platter": "Sushi Platter",
    "4-tempura": "Tempura",
}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1-cheese-pizza", ["1-cheese-pizza"]),
        ("Cheese Pizza", ["1-cheese-pizza"]),
        ("  cheese   PIZZA ", ["1-cheese-pizza"]),
        ("sushi", ["4-sushi-platter"]),
        ("platter", ["4-sushi-platter"]),
        ("sushi plat", ["4-sushi-platter"]),
        ("peperoni piza", ["1-pepperoni-pizza"]),
        ("suhsi plater", ["4-sushi-platter"]),
        ("sushiplatter", ["4-sushi-platter"]),
        ("tempra", ["4-tempura"]),
        ("pizza", ["1-cheese-pizza", "1-pepperoni-pizza"]),
        ("piza", ["1-cheese-pizza", "1-pepperoni-pizza"]),
        ("veggie pizza", []),
        ("deluxe burger", []),
        ("truffle pasta", []),
        ("../../x", []),
        ("", []),
        ("!!!", []),
    ],
)
def test_what_is_typed_means_the_one_dish_or_several_or_none(typed: str, meant: list[str]) -> None:
    assert find(typed, MENU) == meant


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_nothing_that_is_typed_breaks_it_and_a_name_always_means_its_own_dish(typed: str) -> None:
    assert set(find(typed, MENU)) <= MENU.keys()
    for key, name in MENU.items():
        assert find(name, MENU) == [key]

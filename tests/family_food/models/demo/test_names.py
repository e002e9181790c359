from __future__ import annotations

import pytest

from family_food.models.demo.names import find, mentions_all, shares_word

MENU = ["Cheese Taco", "Pepper Taco", "Lentil Soup", "Grilled Salmon Platter", "Chips"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cheese taco", ["Cheese Taco"]),
        ("CHEESE TACOS", ["Cheese Taco"]),
        ("the chese tacco", ["Cheese Taco"]),
        ("cheesetaco", ["Cheese Taco"]),
        ("taco", ["Cheese Taco", "Pepper Taco"]),
        ("soup", ["Lentil Soup"]),
        ("slamon plater", ["Grilled Salmon Platter"]),
        ("the platter", ["Grilled Salmon Platter"]),
        ("chip", ["Chips"]),
        ("some chips please", ["Chips"]),
        ("large cheese taco", ["Cheese Taco"]),
        ("spaceship", []),
        ("", []),
        ("the", []),
    ],
)
def test_a_phrase_finds_the_names_it_means(typed: str, meant: list[str]) -> None:
    assert find(typed, MENU, str).sure == meant


def test_what_is_nearly_a_name_is_offered_and_not_taken() -> None:
    found = find("spicy lentil stew", MENU, str)
    assert not found.sure
    assert found.near[0] == "Lentil Soup"


def test_a_selector_must_be_met_word_by_word() -> None:
    label = ["Anna", "Lentil Soup", "order"]
    assert mentions_all("anna's lentils", label)
    assert mentions_all("", label)
    assert not mentions_all("anna's salmon", label)


def test_one_telling_word_relates_a_dish_to_a_place() -> None:
    assert shares_word("the taco platter", "Taco Town")
    assert not shares_word("the soup", "Taco Town")

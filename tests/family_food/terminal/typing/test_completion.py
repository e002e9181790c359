from __future__ import annotations

import pytest

from family_food.terminal.commands.command_table import COMMANDS
from family_food.terminal.typing.completion import Names
from family_food.terminal.typing.line_completer import argument, argument_offers, command_offers

MENU = [
    {"restaurant": "Pizza Palace", "restaurant_id": "1", "dishes": ["Cheese Pizza", "Pepperoni Pizza"]},
    {"restaurant": "Burger Bonanza", "restaurant_id": "2", "dishes": ["Deluxe Burger", "Fries", "Cheese Fries"]},
]


@pytest.fixture
def names() -> Names:
    made = Names()
    made.learn(MENU)
    return made


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("chee", ["Cheese Fries", "Cheese Pizza"]),
        ("I would like CHEESE P", ["Cheese Pizza"]),
        ("order from pizza pa", ["Pizza Palace"]),
        ("cheese pizza and fr", ["Fries"]),
        ("(bur", ["Burger Bonanza"]),
        ("f", []),  # one letter means nothing
        ("", []),
        ("nothing like it", []),
        ("Cheese Pizza", []),  # complete
        ("afri", []),  # not in the middle of a word
        ("cheese ", ["Cheese Fries", "Cheese Pizza"]),
    ],
)
def test_names_go_on_where_the_text_ends(names: Names, text: str, offered: list[str]) -> None:
    assert [offer.text for offer in names.offers(text)] == offered


def test_a_name_takes_the_place_of_its_beginning(names: Names) -> None:
    text = "order deluxe b"
    (offer,) = names.offers(text)
    assert text[: len(text) - offer.replaces] + offer.text == "order Deluxe Burger"
    assert offer.meaning == "Burger Bonanza"


def test_a_menu_that_makes_no_sense_is_no_menu() -> None:
    names = Names()
    names.learn([None, {"restaurant": 3, "dishes": "abc"}, {"dishes": [None, 4, {"name": "Fri\x1b[2Jes"}]}, []])
    assert [offer.text for offer in names.offers("fri")] == ["Fri[2Jes"]
    names.learn([])
    assert names.offers("fri") == []


def test_commands_are_completed_by_name_with_room_for_their_arguments() -> None:
    assert [offer.text for offer in command_offers(COMMANDS, "/RE")] == ["/resume ", "/rename "]
    assert [offer.text for offer in command_offers(COMMANDS, "/pen")] == ["/pending"]
    assert len(command_offers(COMMANDS, "/")) == len(COMMANDS.all)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/approve ", ("/approve", "")),
        ("/deny 1", ("/deny", "1")),
        ("/deny 1 no", None),
        ("/approve", None),
        ("approve 1", None),
        ("/nonsense 1", None),
    ],
)
def test_only_the_first_argument_of_a_command_is_completed(text: str, found: tuple[str, str] | None) -> None:
    got = argument(COMMANDS, text)
    assert (got and (got[0].name, got[1])) == found


def test_choices_begin_with_what_was_typed() -> None:
    offers = argument_offers([("md", "Markdown"), ("json", "JSON")], "J")
    assert [(offer.text, offer.replaces) for offer in offers] == [("json", 1)]

"""Somebody types at a terminal while other things happen."""

from __future__ import annotations

from tests.support.stage import Scene


def ask(scene: Scene, username: str, dish: str) -> None:
    """A child asks a parent for a dish, in a terminal of its own."""
    child = scene.chat(username)
    child.enter(f"can i have the {dish}? it is my birthday")
    child.see("I've asked a parent")


def test_a_half_typed_line_and_its_cursor_survive_a_notice_that_stands_above(demo: Scene) -> None:
    joe = demo.chat("joe")
    joe.type("what is on the menu of Pizza Plaice")
    joe.see("Pizza Plaice")
    joe.type("\x1b[D" * 3)
    before = (joe.seen.cursor_line, joe.seen.cursor[1])
    ask(demo, "henry", "deluxe burger")
    joe.see("Henry asks to order Deluxe Burger")
    joe.until(lambda seen: seen.cursor_line.endswith("You: what is on the menu of Pizza Plaice"), "the line again")
    assert "Henry asks to order Deluxe Burger" in joe.seen.above
    assert joe.seen.text.count("what is on the menu of Pizza Plaice") == 1
    joe.type("\x7f")
    joe.see("what is on the menu of Pizza Plice")
    assert before[0] == "You: what is on the menu of Pizza Plaice"

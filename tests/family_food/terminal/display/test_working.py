"""The line that says what goes on."""

from __future__ import annotations

import pytest

from family_food.terminal.display.working import Working


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_tells_what_goes_on_and_after_a_while_for_how_long() -> None:
    clock = Clock()
    working = Working(clock)
    assert working.text(80, ascii_only=False) == ""
    working.begin("thinking")
    assert working.text(80, ascii_only=False)[1:] == " thinking…"
    clock.now += 3
    working.begin("thinking")
    assert working.text(80, ascii_only=False)[1:] == " thinking… 3 s"
    working.end()
    assert working.text(80, ascii_only=False) == ""


def test_the_wheel_turns_with_the_clock_alone() -> None:
    clock = Clock()
    working = Working(clock)
    working.begin("thinking")
    seen = []
    for _ in range(4):
        seen.append(working.text(80, ascii_only=True)[0])
        clock.now += 0.125
    assert sorted(seen) == sorted("|/-\\")


def test_calls_under_way_come_before_all_else() -> None:
    working = Working(Clock())
    working.begin("thinking")
    assert working.text(80, ascii_only=False, calls=[("list_dishes(id=4)", 0.4)])[2:] == "list_dishes(id=4)"
    several = [("list_dishes(id=4)", 0.4), ("order_dish(id=4)", 2.0)]
    assert working.text(80, ascii_only=False, calls=several)[2:] == "list_dishes, order_dish 2.0 s"


def test_words_that_are_not_shown_yet_are_seen_to_come() -> None:
    working = Working(Clock())
    working.begin("thinking")
    assert working.text(80, ascii_only=False, written="The **pizza**\nis")[2:] == "writing: The pizza is"
    long = working.text(30, ascii_only=False, written="word " * 50 + "end")
    assert long.endswith("word end")
    assert "…" in long


@pytest.mark.parametrize("columns", [1, 4, 10, 20, 40])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_it_never_needs_two_lines(columns: int, ascii_only: bool) -> None:
    clock = Clock()
    working = Working(clock)
    working.begin("reconnecting")
    clock.now += 100
    most = max(columns - 1, 4)
    assert len(working.text(columns, ascii_only=ascii_only)) <= most
    assert len(working.text(columns, ascii_only=ascii_only, written="x" * 100)) <= most
    assert len(working.text(columns, ascii_only=ascii_only, calls=[("list_dishes(restaurant_id=4)", 3.0)])) <= most

"""What of a text may reach a terminal."""

from __future__ import annotations

import pytest

from family_food.terminal.visible import one_line, sendable, visible, with_hint


@pytest.mark.parametrize(
    "unseen", ["\x1b", "\x07", "\x00", "\x9b", "\r", "\x7f", "\u202e", "\u200b", "\ufeff", "\ud83d"]
)
def test_what_a_terminal_would_obey_or_hide_is_taken_out(unseen: str) -> None:
    assert visible(f"a{unseen}b") == "ab"
    assert one_line(f"a{unseen}b").replace(" ", "") == "ab"


def test_newlines_stay_and_tabs_become_spaces() -> None:
    assert visible("a\tb\r\nc") == "a b\nc"


def test_one_line_is_one_line() -> None:
    assert one_line(" a\r\n\tb \u2028 c ") == "a b c"


@pytest.mark.parametrize("other", [None, 3, {"a": 1}, ["a"]])
def test_what_is_no_text_is_nothing(other: object) -> None:
    assert (visible(other), one_line(other)) == ("", "")


@pytest.mark.parametrize(
    ("content", "hint", "said"),
    [
        ("It is busy.", "Try again in a moment.", "It is busy. Try again in a moment."),
        ("Please try again in a moment.", "Try again in a moment.", "Please try again in a moment."),
        ("No.", "", "No."),
        ("", "Say less.", "Say less."),
    ],
)
def test_a_hint_is_said_once(content: str, hint: str, said: str) -> None:
    assert with_hint({"content": content, "hint": hint}) == said


def test_half_a_pair_is_sent_as_a_question_mark() -> None:
    assert sendable("caf\udce9 \u00e9 \U0001f355") == "caf? \u00e9 \U0001f355"

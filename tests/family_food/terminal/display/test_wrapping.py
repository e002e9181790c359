from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from family_food.terminal.display.wrapping import cells, wrapped


def test_a_line_is_broken_at_words_and_what_follows_is_indented() -> None:
    assert wrapped("one two three", 20) == ["one two three"]
    assert wrapped("one two three four", 9) == ["one two", "  three", "  four"]
    assert wrapped("  one two three four", 11) == ["  one two", "  three", "  four"]
    assert wrapped("a" * 25, 10) == ["a" * 10, "  " + "a" * 8, "  " + "a" * 7]


@given(text=st.text(st.sampled_from("ab \u6f22"), max_size=200), columns=st.integers(12, 60))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, columns: int) -> None:
    lines = wrapped(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cells(line) <= columns for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_word_of_a_million_letters_is_broken_at_once() -> None:
    assert len(wrapped("a" * 1_000_000, 80)) > 12_000

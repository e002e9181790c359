"""Words laid out while they arrive."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from family_food.terminal.flow import Flow


def laid_out(pieces: list[str], width: int | None, *, whole_lines: bool = False) -> list[str]:
    """What was written, write by write."""
    written: list[str] = []
    flow = Flow(written.append, width=lambda: width, whole_lines=lambda: whole_lines)
    for piece in pieces:
        flow.add(piece)
    flow.end()
    return written


TEXTS = st.lists(st.text(st.sampled_from("ab界 \n"), max_size=12), max_size=12)


@given(TEXTS, st.integers(5, 30), st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_word_is_lost_whatever_the_pieces(pieces: list[str], width: int, whole_lines: bool) -> None:
    written = "".join(laid_out(pieces, width, whole_lines=whole_lines))
    assert "".join(written.split()) == "".join("".join(pieces).split())


@given(TEXTS, st.booleans())
@settings(max_examples=100, deadline=None)
def test_it_makes_no_difference_how_a_text_is_cut(pieces: list[str], whole_lines: bool) -> None:
    at_once = "".join(laid_out(["".join(pieces)], 20))
    assert "".join(laid_out(pieces, 20, whole_lines=whole_lines)).split() == at_once.split()


@given(st.lists(st.text(st.sampled_from("ab "), max_size=9), max_size=12))
@settings(max_examples=100, deadline=None)
def test_no_line_of_short_words_is_wider_than_the_screen(pieces: list[str]) -> None:
    words = [f"{piece.replace(' ', '')[:9]} " for piece in pieces]
    for line in "".join(laid_out(words, 20)).split("\n"):
        assert cell_len(line) <= 20


def test_only_whole_lines_are_written_above_an_input_line() -> None:
    assert laid_out(["one ", "two\nthr", "ee"], None, whole_lines=True) == ["one two\n", "three\n"]


def test_words_are_written_as_soon_as_they_are_complete() -> None:
    written: list[str] = []
    flow = Flow(written.append, width=lambda: 80, whole_lines=lambda: False)
    flow.add("one tw")
    assert "".join(written) == "one"
    flow.add("o ")
    assert "".join(written) == "one two"


def test_without_a_width_lines_stay_as_they_are() -> None:
    assert "".join(laid_out(["word " * 100], None)).count("\n") == 1

"""Markdown cut into blocks while it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from family_food.terminal.markdown.blocks import HARD_CHARS, LONGEST_CHARS, SOFT_CHARS, Block, BlockSplitter
from tests.support.cpu_time import at_most

ANSWER = """# Menu

Hello **Henry**, here is
what I found.

- Pizza
  - with cheese
- Burger

| Dish | Price |
|---|---:|
| Sushi | 22.99 |

```text
one

two
```
> quoted
lazily

1. first
2. second

end"""


def blocks(pieces: Iterable[str]) -> list[Block]:
    splitter = BlockSplitter()
    done = [block for piece in pieces for block in splitter.add(piece)]
    return done + splitter.end()


def test_each_kind_of_block_is_a_block() -> None:
    assert [block.text.split("\n")[0] for block in blocks([ANSWER])] == [
        "# Menu",
        "Hello **Henry**, here is",
        "- Pizza",
        "| Dish | Price |",
        "```text",
        "> quoted",
        "1. first",
        "end",
    ]


def test_a_block_is_given_out_as_soon_as_it_is_finished() -> None:
    splitter = BlockSplitter()
    assert splitter.add("One paragraph.\n") == []
    assert [block.text for block in splitter.add("\n")] == ["One paragraph."]
    assert [block.text for block in splitter.add("## Heading\n")] == ["## Heading"]
    assert splitter.add("```\ncode\n\nmore\n") == []
    assert [block.text for block in splitter.add("```\n")] == ["```\ncode\n\nmore\n```"]
    assert splitter.empty
    assert splitter.end() == []


def test_a_list_ends_with_a_line_that_is_no_part_of_it() -> None:
    splitter = BlockSplitter()
    assert splitter.add("- a\n- b\n\n  still b\n\n") == []
    assert [block.text for block in splitter.add("After.\n")] == ["- a\n- b\n\n  still b"]


PIECES = st.sampled_from(
    [
        "word ",
        "Ends. ",
        "Ends.",
        "\n",
        "\n\n",
        "- ",
        "1. ",
        "> ",
        "```",
        "```\n",
        "~~~\n",
        "# ",
        "| a | b |\n",
        "|---|---|\n",
        "**",
        "*",
        "`",
        "[x](y)",
        "    ",
        "  ",
        "---\n",
        "===\n",
        "\t",
        "本。",
        "x" * 50,
        "Many words here. " * 30,
        "- item\n" * 99,
    ]
)


@given(st.lists(PIECES, max_size=40), st.lists(st.integers(1, 60), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_it_makes_no_difference_how_the_text_is_cut(words: list[str], lengths: list[int]) -> None:
    text = "".join(words)
    cut: list[str] = []
    start = 0
    while start < len(text):
        length = lengths[len(cut) % len(lengths)]
        cut.append(text[start : start + length])
        start += length
    assert blocks(cut) == blocks([text]) == blocks(text)


@given(st.lists(PIECES, max_size=40))
@settings(max_examples=150, deadline=None)
def test_no_letter_is_lost(words: list[str]) -> None:
    text = "".join(words)
    # Code that goes on in another block begins with its fence, and the language there, once more.
    given_out = "".join(re.sub(r"\A *```.*", "", one.text) if one.continues else one.text for one in blocks([text]))
    assert re.findall(r"[a-z本]", given_out) == re.findall(r"[a-z本]", text)


@given(st.lists(PIECES, max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_block_is_without_bounds(words: list[str]) -> None:
    assert all(len(block.text) <= 2 * LONGEST_CHARS for block in blocks(["".join(words)]))


def test_a_long_paragraph_is_shown_at_the_ends_of_sentences() -> None:
    text = "This is a sentence with **bold words** in it. " * 40
    pieces = blocks(text)
    assert all(piece.text.endswith("in it.") and len(piece.text) < SOFT_CHARS + 60 for piece in pieces)
    assert [piece.continues for piece in pieces] == [False] + [True] * (len(pieces) - 1)


def test_a_long_paragraph_is_not_cut_within_emphasis() -> None:
    text = "x" * SOFT_CHARS + " **Bold. And on. And on.** After. Then. "
    assert blocks(text)[0].text.endswith("And on.**")


def test_words_without_an_end_are_shown_all_the_same() -> None:
    pieces = blocks("word " * 1000)
    assert all(len(piece.text) <= HARD_CHARS for piece in pieces)
    assert sum(piece.text.count("word") for piece in pieces) == 1000


def test_what_follows_a_cut_is_not_taken_for_the_beginning_of_something_else() -> None:
    text = "Word word. " * 40 + "- no list. # no heading. 1. no number."
    assert not [piece.text for piece in blocks([text]) if re.match(r"[-#>]|\d+[.)]", piece.text)]


def test_a_long_list_is_shown_item_by_item_and_keeps_its_numbers() -> None:
    text = "".join(f"1. item {number} with a few words\n" for number in range(1, 61))
    pieces = blocks(text)
    assert len(pieces) > 2
    for piece in pieces[1:]:
        first = re.match(r"1\. item (\d+) ", piece.text)
        assert first is not None
        assert piece.number == int(first.group(1))


def test_what_is_no_language_behind_a_fence_is_said_once() -> None:
    text = "```" + "many words " * 200 + "\n" + "line of code\n" * 600 + "```\n"
    assert "".join(block.text for block in blocks([text])).count("many words") == 200


def test_a_long_table_repeats_its_heading_and_long_code_its_fence() -> None:
    rows = "| Dish | Price |\n|---|---|\n" + "| Tempura | 9.99 |\n" * 300
    assert all(piece.text.startswith("| Dish | Price |\n|---|---|\n") for piece in blocks(rows))
    code = "```text\n" + "line of code\n" * 600 + "```\n"
    pieces = blocks(code)
    assert len(pieces) > 1
    assert all(piece.text.startswith("```text\n") and piece.text.endswith("\n```") for piece in pieces)


@pytest.mark.parametrize(
    "text",
    ["This is a sentence of some words. " * 180, "a" * 6000, "- an item\n" * 600, "> quoted\n" * 666, ANSWER * 20],
    ids=["sentences", "one word", "list", "quote", "all kinds"],
)
def test_six_kilobytes_in_single_characters_cost_little(text: str) -> None:
    with at_most(0.5):  # in practice 10 ms
        blocks(text[:6000])

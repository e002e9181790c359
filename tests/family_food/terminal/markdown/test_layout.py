"""Blocks of Markdown in colour."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.family_food.terminal.conftest import MakeScreen, Shown


def shown(make_screen: MakeScreen, text: str, columns: int = 60) -> list[str]:
    """The lines of an answer, without its label."""
    screen: Shown = make_screen(columns=columns)
    screen.screen.show({"type": "text", "content": text})
    lines = screen.lines
    assert lines[0].startswith("Assistant:")
    first = lines[0].removeprefix("Assistant:").strip()
    return [first, *lines[1:]] if first else lines[1:]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# One\n## Two\nthree", ["One", "", "Two", "", "three"]),
        ("one\ntwo", ["one", "two"]),
        ("> said\n> twice", ["▌ said", "▌ twice"]),
        ("> - a\n> - b", ["▌  • a", "▌  • b"]),
        ("- a\n  1. b\n  2. c\n- d", [" • a", "    1 b", "    2 c", " • d"]),
        ("3. c\n4. d", [" 3 c", " 4 d"]),
        ("```python\nx = [1]\n\ny\n```", ["  x = [1]", "", "  y"]),
        ("```not a language\nx\n```", ["not a language", "  x"]),
        ("    indented", ["  indented"]),
        ("~~no~~ `[code]`", ["no [code]"]),
        ("one\n\n---\n\ntwo", ["one", "", "-" * 60, "", "two"]),
        ("[label](http://x 'title')", ["label (http://x)"]),
        ("[http://x](http://x) <me@x.org>", ["http://x me@x.org"]),
        ("[![alt](http://i)](http://x)", ["[alt] (http://i) (http://x)"]),
        ("[click](javascript:alert(1))", ["[click](javascript:alert(1))"]),
        ("<script>alert(1)</script>", ["<script>alert(1)</script>"]),
        ("<kbd>a</kbd> </kbd>", ["<kbd>a</kbd> </kbd>"]),
        ("> " * 20 + "deep", ["> " * 20 + "deep"]),
        ("| a |\n|---|", [" a"]),
    ],
)
def test_a_block_is_laid_out(make_screen: MakeScreen, text: str, lines: list[str]) -> None:
    assert shown(make_screen, text)[: len(lines)] == lines


def test_a_table_keeps_its_columns_where_there_is_room_and_becomes_lines_where_there_is_none(
    make_screen: MakeScreen,
) -> None:
    text = "| Dish | Price |\n|:--|--:|\n| **Sushi** Platter | 22.99 |\n| Roll | 6.99 |\n"
    wide = shown(make_screen, text)
    assert [line.split() for line in wide if "9" in line] == [["Sushi", "Platter", "22.99"], ["Roll", "6.99"]]
    assert len({line.index("9", line.index(".")) for line in wide if "9" in line}) == 1  # prices end below each other
    narrow = shown(make_screen, "| Restaurants | Neighbourhood |\n|--|--|\n| Bonanza | Downtown |\n", columns=20)
    assert narrow == ["Restaurants: Bonanza", "Neighbourhood:", "Downtown"]


WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta"])
MARKUP = st.sampled_from(
    [
        "**",
        "*",
        "`",
        "~~",
        "[",
        "](",
        ")",
        "![",
        "<b>",
        "> ",
        "- ",
        "1. ",
        "# ",
        "|",
        "\n",
        "\n\n",
        "  ",
        "|--|--|\n",
        "***",
        "\\",
    ]
)


@given(st.lists(WORDS | MARKUP, max_size=30), st.sampled_from([12, 20, 80]))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_word_of_an_answer_is_swallowed(make_screen: MakeScreen, pieces: list[str], columns: int) -> None:
    text = " ".join(pieces)
    said = "".join(shown(make_screen, f"begin {text}", columns))
    for word in ("alpha", "beta", "gamma", "delta"):
        assert len(re.findall(word, re.sub(r"[^a-z]", "", said))) >= text.count(word)

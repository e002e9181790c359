"""Symbols, and what stands for them."""

from __future__ import annotations

import pytest

from family_food.terminal.display.symbols import SUBSTITUTES, encodable, without_leading_symbol


def test_every_symbol_has_a_substitute_in_ascii() -> None:
    assert all(substitute.isascii() for substitute in SUBSTITUTES.values())


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "✓ “é” -- 寿 ?"),
        ("ascii", '+ "?" - ? ?'),
        ("latin-1", '+ "é" - ? ?'),
        ("no-such-encoding", '+ "?" - ? ?'),
        ("utf-16", "✓ “é” -- 寿 ?"),
    ],
)
def test_what_an_encoding_has_not_is_substituted_and_nothing_fails(encoding: str, shown: str) -> None:
    assert encodable("✓ \u201cé\u201d \u2013 寿 \ud83d", encoding).lstrip("\ufeff") == shown.replace("--", "\u2013")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("✅ Login successful!", "Login successful!"),
        ("⚠️ Careful.", "Careful."),
        ("--- Chat session started ---", "--- Chat session started ---"),
        ("Pizza 🍕", "Pizza 🍕"),
        ("  henry  child", "  henry  child"),
        ("(1 of 2)", "(1 of 2)"),
        ("?? what", "?? what"),
        ("", ""),
    ],
)
def test_a_picture_before_a_line_is_not_read_aloud(line: str, words: str) -> None:
    assert without_leading_symbol(line) == words

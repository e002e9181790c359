"""Blocks of Markdown in words alone, for whoever has the screen read aloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from family_food.terminal.markdown.blocks import Block
from family_food.terminal.markdown.tokens import read_block

if TYPE_CHECKING:
    from markdown_it.token import Token


def spoken(block: Block) -> list[str]:
    """The lines of a block, without signs that only the eye understands."""
    tokens = read_block(block)
    if tokens is None:
        return block.text.split("\n")
    return _Speaker().lines(tokens)


def spoken_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table row by row, each cell with its heading."""
    lines = []
    for row in rows:
        cells = [
            f"{heading}: {cell}" if heading else cell for heading, cell in zip(headings, row, strict=False) if cell
        ]
        lines.append(f"{'; '.join(cells)}.")
    return lines or [f"{'; '.join(headings)}."]


class _Speaker:
    """Walks through the tokens of one block."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._numbers: list[int | None] = []  # of the lists that are open
        self._before = ""  # of the next words: "- ", "2. "
        self._headings: list[str] = []
        self._row: list[str] = []
        self._in_table = False

    def lines(self, tokens: Sequence[Token]) -> list[str]:
        for token in tokens:
            if token.type in ("fence", "code_block"):
                self._say("Code:", *token.content.rstrip("\n").split("\n"), "End of code.")
            elif token.type == "inline":
                self._words(_inline(token))
            elif token.type.startswith("t"):
                self._table(token)
            else:
                self._structure(token)
        return self._lines

    def _structure(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._numbers.append(None)
            case "ordered_list_open":
                self._numbers.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._numbers.pop()
            case "list_item_open":
                number = self._numbers[-1]
                self._before = "- " if number is None else f"{number}. "
                if number is not None:
                    self._numbers[-1] = number + 1
            case "blockquote_open":
                self._say("Quote:")
            case "blockquote_close":
                self._say("End of quote.")

    def _table(self, token: Token) -> None:
        if token.type == "tr_close":
            if not self._headings:
                self._headings = self._row
            else:
                self._say(*spoken_rows(self._headings, [self._row]))
            self._row = []
        self._in_table = token.type not in ("table_close",)
        if token.type == "table_close":
            self._headings = []

    def _words(self, words: str) -> None:
        if self._in_table:
            self._row.append(" ".join(words.split()))
        else:
            self._say(*words.split("\n"))

    def _say(self, *lines: str) -> None:
        indent = "  " * max(0, len(self._numbers) - 1)
        for line in lines:
            self._lines.append(f"{indent}{self._before}{line}".rstrip())
            self._before = ""


def _inline(token: Token) -> str:
    return "".join("\n" if child.type == "hardbreak" else child.content for child in token.children or ())

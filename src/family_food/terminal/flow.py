"""Words laid out in lines while they still arrive."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len

_PIECES = re.compile(r"\n|[^\S\n]+|\S+")


class Flow:
    """Breaks a stream of text into lines at word boundaries.

    Args:
        write: puts a piece on the screen as it is.
        width: columns of the screen; None leaves lines as they come.
        whole_lines: while it says True only complete lines are written, because an input line stands below them.
    """

    def __init__(
        self, write: Callable[[str], None], width: Callable[[], int | None], whole_lines: Callable[[], bool]
    ) -> None:
        self._write = write
        self._width = width
        self._whole_lines = whole_lines
        self._column = 0
        self._space = ""
        self._word = ""
        self._held = ""

    @property
    def begun(self) -> bool:
        """True within a line."""
        return bool(self._column or self._word)

    def add(self, text: str) -> None:
        """Add text; its last word is held back until it is known to be complete."""
        for piece in _PIECES.findall(text):
            if piece == "\n":
                self._newline()
            elif piece.isspace():
                self._put_word()
                self._space += piece
            else:
                self._word += piece
                width = self._width()
                if width is not None and cell_len(self._word) >= width:  # no word at all: let the terminal break it
                    self._put_word()

    def end(self) -> None:
        """End the line, if one is begun."""
        if self.begun:
            self._newline()
        self._space = ""

    def _newline(self) -> None:
        self._put_word()
        self._emit("\n")
        self._column, self._space = 0, ""

    def _put_word(self) -> None:
        if not self._word:
            return
        width, length = self._width(), cell_len(self._word)
        if width is not None and self._column and self._column + len(self._space) + length > width:
            self._emit("\n")
            self._column, self._space = 0, ""
        self._emit(self._space + self._word)
        self._column += len(self._space) + length
        self._space, self._word = "", ""

    def _emit(self, piece: str) -> None:
        self._held += piece
        if not self._whole_lines() or piece == "\n":
            held, self._held = self._held, ""
            self._write(held)

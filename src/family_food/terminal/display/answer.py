"""An answer while it arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from family_food.terminal.markdown.blocks import Block, BlockSplitter
from family_food.terminal.visible import visible

LABEL = "Assistant:"


class Answer(Protocol):
    """Takes words as they come; shows them when it can."""

    @property
    def held(self) -> str:
        """The end of what has come and is not shown yet."""
        ...

    def add(self, text: object) -> None:
        """More words."""
        ...

    def end(self) -> None:
        """No more words: show what was held."""
        ...


class BlockAnswer:
    """Shows finished blocks, each once.

    Args:
        show: puts a block on the screen, with the label its words begin with, and whether a blank line belongs before it.
    """

    def __init__(self, show: Callable[[Block, str, bool], None]) -> None:
        self._show = show
        self._splitter = BlockSplitter()
        self._begun = False

    @property
    def held(self) -> str:
        """See :class:`Answer`."""
        return self._splitter.held

    def add(self, text: object) -> None:
        """See :class:`Answer`."""
        if isinstance(text, str):
            self._put(self._splitter.add(visible(text.replace("\t", "    "))))

    def end(self) -> None:
        """See :class:`Answer`."""
        self._put(self._splitter.end())

    def _put(self, blocks: list[Block]) -> None:
        for block in blocks:
            self._show(block, "" if self._begun else LABEL, self._begun and not block.continues)
            self._begun = True


class RawAnswer:
    """Passes words on as they are: for a file or another program.

    Args:
        write: takes text.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._in_line = False

    @property
    def held(self) -> str:
        """Nothing is held."""
        return ""

    def add(self, text: object) -> None:
        """See :class:`Answer`."""
        words = visible(text)
        if words:
            self._write(words)
            self._in_line = not words.endswith("\n")

    def end(self) -> None:
        """End the line, if one is begun."""
        if self._in_line:
            self._write("\n")
            self._in_line = False

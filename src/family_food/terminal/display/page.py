"""What everything is put on: a terminal, a terminal that is read aloud, or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from family_food.terminal.display.answer import Answer
from family_food.terminal.display.tool_lines import ToolLine

Rows = Sequence[tuple[str, str]]


class Page(Protocol):
    """Puts things below what is there; changes nothing that is there. All texts are visible characters already."""

    @property
    def animated(self) -> bool:
        """Whether something may move at the bottom."""
        ...

    @property
    def ascii(self) -> bool:
        """Whether only ASCII can be shown."""
        ...

    @property
    def columns(self) -> int:
        """How wide it is now."""
        ...

    def line(self, text: str, style: str = "", *, cut: bool = False) -> None:
        """A line; broken at words where it is too long, or cut."""
        ...

    def said(self, text: str) -> None:
        """What the person said: from here on something new."""
        ...

    def marked(self, kind: str, text: str, style: str = "", *, cut: bool = False) -> None:
        """A line with the sign of its kind before it: ``notice``, ``trouble``, ``question``, ``status``, ``queued``, ``good``."""
        ...

    def tool(self, line: ToolLine, *, whole: bool) -> None:
        """A tool call that is over; cut to one line unless the whole of it is wanted."""
        ...

    def panel(self, title: str, rows: Rows, note: str = "") -> None:
        """Facts to be read before a decision."""
        ...

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows of cells."""
        ...

    def answer(self) -> Answer:
        """Begin an answer."""
        ...

    def warm_up(self) -> None:
        """Get ready for an answer, if that takes a while."""
        ...

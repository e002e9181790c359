"""A terminal that is read aloud, or can do nothing but lines: words, no colours, no pictures.

Only words of ours stand at the beginning of a line. What people and models say goes on behind a break of its line with an
indent, so that none of it can pass for a question.
"""

from __future__ import annotations

from collections.abc import Sequence

from family_food.terminal.display.answer import Answer, BlockAnswer
from family_food.terminal.display.output import Output
from family_food.terminal.display.page import Rows
from family_food.terminal.display.symbols import without_leading_symbol
from family_food.terminal.display.tool_lines import ToolLine
from family_food.terminal.display.wrapping import wrapped
from family_food.terminal.markdown.blocks import Block

_INDENT = "  "
SIGNS = {
    "notice": "Notice: ",
    "trouble": "Attention: ",
    "question": "Question: ",
    "status": "Status: ",
    "queued": "Queued: ",
    "good": "",
    "done": "Tool: ",
    "refused": "Tool refused: ",
    "failed": "Tool failed: ",
}


class PlainPage:
    """Lines, broken at words where a terminal would break them anywhere.

    Args:
        output: the terminal.
    """

    animated = False

    def __init__(self, output: Output) -> None:
        self._output = output

    @property
    def ascii(self) -> bool:
        """See :class:`Page`."""
        return not self._output.encoding.lower().startswith("utf")

    @property
    def columns(self) -> int:
        """See :class:`Page`."""
        return self._output.columns

    def line(self, text: str, style: str = "", *, cut: bool = False) -> None:
        """See :class:`Page`."""
        self._write(without_leading_symbol(text))

    def said(self, text: str) -> None:
        """See :class:`Page`."""
        self._write(text)

    def marked(self, kind: str, text: str, style: str = "", *, cut: bool = False) -> None:
        """See :class:`Page`."""
        self._write(SIGNS[kind] + without_leading_symbol(text))

    def tool(self, line: ToolLine, *, whole: bool) -> None:
        """See :class:`Page`."""
        self._write(SIGNS[line.state] + ", ".join([line.call(), *line.ending]))

    def panel(self, title: str, rows: Rows, note: str = "") -> None:
        """See :class:`Page`."""
        self._write(f"{SIGNS['question']}{title}")
        for name, value in rows:
            self._write(f"{name}: {value}" if name else value)
        if note:
            self._write(note)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """See :class:`Page`."""
        from family_food.terminal.markdown.words import spoken_rows

        self._write(f"{title or 'Table'}: {len(rows)} {'row' if len(rows) == 1 else 'rows'}.")
        if rows:
            self._write("\n".join(spoken_rows(columns, rows)))

    def answer(self) -> Answer:
        """See :class:`Page`."""
        return BlockAnswer(self._block)

    def warm_up(self) -> None:
        """See :class:`Page`."""

    def _block(self, block: Block, label: str, blank_before: bool) -> None:
        from family_food.terminal.markdown.words import spoken

        lines = [f"{_INDENT}{line}" if line else "" for line in spoken(block)]
        if label:
            lines[:1] = [f"{label} {lines[0].strip()}"] if lines else [label]
        self._write("\n".join([""] * blank_before + lines))

    def _write(self, text: str) -> None:
        if self._output.isatty():
            columns = self.columns - 1
            text = "\n".join(part for line in text.split("\n") for part in self._wrapped(line, columns))
        self._output.write(f"{text}\n")

    @staticmethod
    def _wrapped(line: str, columns: int) -> list[str]:
        before = line[: len(line) - len(line.lstrip(" "))]
        return wrapped(line, columns, min(before, " " * (columns // 2)) + _INDENT)

"""A terminal with colours."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from family_food.terminal.display.answer import Answer, BlockAnswer
from family_food.terminal.display.output import Output
from family_food.terminal.display.page import Rows
from family_food.terminal.display.symbols import encodable
from family_food.terminal.display.tool_lines import ToolLine
from family_food.terminal.markdown.blocks import Block

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

# What stands before a line, and what does where its encoding has only ASCII.
_SIGNS = {
    "notice": ("🔔 ", "(!) "),
    "trouble": ("⚠ ", "! "),
    "question": ("❓ ", "(?) "),
    "status": ("· ", "- "),
    "queued": ("⏳ queued: ", "queued: "),
    "good": ("✓ ", "+ "),
    "done": ("✓ ", "+ "),
    "refused": ("✗ ", "x "),
    "failed": ("✗ ", "x "),
}
_STYLES = {"done": "dim", "refused": "yellow", "failed": "red"}
_MARGIN = "  "
_THEME = {
    "markdown.label": "bold cyan",
    "markdown.code": "cyan",
    "markdown.code_block": "cyan",
    "markdown.block_quote": "italic",
    "markdown.h1": "bold underline",
    "markdown.h2": "bold",
    "markdown.item.bullet": "bold",
    "markdown.item.number": "bold",
    "markdown.hr": "dim",
}


class RichPage:
    """Lines in colour, broken at words; Markdown, panels and tables by rich, which is loaded when it is needed.

    Args:
        output: the terminal.
    """

    animated = True

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
        from rich.text import Text

        for each in text.split("\n"):
            shown = Text(self._encodable(each), style=style, overflow="fold")
            if cut:
                shown.truncate(self.columns - 1)
            self._print(shown)

    def said(self, text: str) -> None:
        """See :class:`Page`."""
        self._print(self._text(text, "bold green"), blank_before=True)

    def marked(self, kind: str, text: str, style: str = "", *, cut: bool = False) -> None:
        """See :class:`Page`."""
        self.line(_SIGNS[kind][self.ascii] + text, style, cut=cut)

    def tool(self, line: ToolLine, *, whole: bool) -> None:
        """See :class:`Page`."""
        from rich.cells import cell_len

        sign, between, dots = (
            _SIGNS[line.state][self.ascii],
            " - " if self.ascii else " · ",
            "..." if self.ascii else "…",
        )
        endings = [between + self._encodable(part) for part in line.ending]
        room = self.columns - 1 - len(_MARGIN + sign)
        is_news = line.state != "done"  # why something did not work is never cut
        while endings and not (whole or is_news) and sum(map(cell_len, endings)) + len(line.name) > room:
            endings.pop()
        call = line.call(None if whole else room - sum(map(cell_len, endings)), dots)
        self.line(f"{_MARGIN}{sign}{call}{''.join(endings)}", _STYLES[line.state], cut=not (whole or is_news))

    def panel(self, title: str, rows: Rows, note: str = "") -> None:
        """See :class:`Page`."""
        from rich.panel import Panel
        from rich.table import Table

        facts = Table.grid(padding=(0, 2) if self.columns > 30 else (0, 1))
        facts.add_column(style="dim", overflow="fold")
        facts.add_column(overflow="fold")
        for name, value in rows:
            facts.add_row(self._text(name), self._text(value))
        if note:
            facts.add_row("", self._text(note, "dim"))
        self._print(
            Panel(
                facts, title=self._text(title, "bold yellow"), title_align="left", expand=False, border_style="yellow"
            )
        )

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """See :class:`Page`."""
        from family_food.terminal.display.rich_tables import fitting_table

        if title:
            self.line(title, "bold")
        console = self._console
        options = console.options.update(width=self.columns)
        cells = [[self._text(cell) for cell in row] for row in rows]
        self._print(fitting_table(console, options, [self._text(column) for column in columns], cells))

    def answer(self) -> Answer:
        """See :class:`Page`."""
        return BlockAnswer(self._block)

    def warm_up(self) -> None:
        """Load what shows Markdown, in a thread: it takes as long as a person needs to notice."""

        def load() -> None:
            import markdown_it

            import family_food.terminal.markdown.layout  # noqa: F401

            markdown_it.MarkdownIt("commonmark")

        threading.Thread(target=load, name="markdown", daemon=True).start()

    def _block(self, block: Block, label: str, blank_before: bool) -> None:
        from family_food.terminal.markdown.layout import rendered

        block = Block(self._encodable(block.text), block.continues, block.number)
        self._print(*rendered(block, label, self.columns), blank_before=blank_before)

    def _text(self, text: str, style: str = "") -> Text:
        from rich.text import Text

        return Text(self._encodable(text), style=style, overflow="fold")

    def _encodable(self, text: str) -> str:
        return encodable(text, self._output.encoding)

    @cached_property
    def _console(self) -> Console:
        from rich.theme import Theme

        from family_food.terminal.display.rich_console import QuietConsole

        return QuietConsole(self._output, Theme(_THEME))

    def _print(self, *renderables: RenderableType, blank_before: bool = False) -> None:
        from family_food.terminal.display.rich_console import Lines

        console = self._console
        console.width = self.columns
        lines = Lines.of(console, renderables)
        if blank_before:
            console.print()
        console.print(lines, end="", soft_wrap=True)

"""Tables that fit, whatever the width."""

from __future__ import annotations

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


def fitting_table(
    console: Console, options: ConsoleOptions, headings: list[Text], rows: list[list[Text]]
) -> RenderableType:
    """A table, or when its longest words do not fit side by side, a paragraph for each row.

    Args:
        console: what it is shown on.
        options: how wide that is.
        headings: one for each column.
        rows: cells; a missing one is empty.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style="dim", header_style="bold", collapse_padding=True)
    for heading in headings:
        table.add_column(heading, justify=heading.justify or "left", overflow="fold")
    for row in rows:
        table.add_row(*row[: len(headings)])
    if Measurement.get(console, options.update(max_width=10_000), table).minimum <= options.max_width:
        return table
    # Not beside each other: then one below the other.
    return Text("\n\n").join(_listed(headings, row) for row in rows) if rows else Text("  ").join(headings)


def _listed(headings: list[Text], row: list[Text]) -> Text:
    pairs = zip(headings, row, strict=False)
    return Text("\n").join(Text.assemble(heading, ": " if heading.plain else "", cell) for heading, cell in pairs)

"""The figures of a run: what was measured, what was aimed at, and how both are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table


class Spawning(StrEnum):
    """How a session's tool server is started: the values of MCP_SPAWN that are compared."""

    PLAIN = "exec"
    FORKED = "auto"


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        of: the part of the benchmark it belongs to.
        what: in words, with how many at once.
        unit: ``ms``, ``s``, ``MiB`` or nothing for a number of things.
        at_most: the target for forked sessions, in the same unit; None when there is none.
    """

    of: str
    what: str
    spawning: Spawning
    value: float
    unit: str = "ms"
    at_most: float | None = None

    @property
    def missed(self) -> bool:
        """Whether a target was set, and not reached."""
        return self.spawning is Spawning.FORKED and self.at_most is not None and self.value > self.at_most


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def show(figures: Sequence[Figure], console: Console) -> None:
    """One row for each thing that was measured, plain spawning beside forking."""
    table = Table("part", "what", title="Chat sessions", title_justify="left")
    table.add_column("plain", justify="right")
    table.add_column("forked", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    before = ""
    parts = list(dict.fromkeys(figure.of for figure in figures))
    rows = dict.fromkeys((figure.of, figure.what) for figure in sorted(figures, key=lambda f: parts.index(f.of)))
    for part, what in rows:
        found = {f.spawning: f for f in figures if (f.of, f.what) == (part, what)}
        if before and part != before:
            table.add_section()
        forked = found.get(Spawning.FORKED)
        target = next((f for f in found.values() if f.at_most is not None), None)
        table.add_row(
            part if part != before else "",
            what,
            *(_shown(found.get(spawning)) for spawning in Spawning),
            "" if target is None else f"<= {_number(target.at_most or 0.0, target.unit)}",
            "" if forked is None or forked.at_most is None else "missed" if forked.missed else "met",
        )
        before = part
    console.print(table)


def _shown(figure: Figure | None) -> str:
    return "-" if figure is None else _number(figure.value, figure.unit)


def _number(value: float, unit: str) -> str:
    if not unit:
        return f"{value:.0f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"

"""What a decision costs: in the engine, with the look whether the facts are still the same, in a transaction.

Run it from the checkout: ``uv run benchmarks/decisions.py``, or with ``--quick`` in some seconds. It makes a company of
100 users and one of 10,000, each with 1,000 instances and three roles for each user, which reach from organisations over
folders to documents. Nothing is left behind. docs/performance.md tells what the figures mean.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script, this folder alone would be there

from benchmarks.decision_figures import LARGE, SMALL, Timing, misses, quietest, show
from benchmarks.decision_parts import PARTS, place

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

WIDE = 120
"""Columns of a table that goes to a file."""

ROUNDS, CHECKS = 5, 10_000
QUICK_ROUNDS, QUICK_CHECKS = 2, 1_000


async def measure(names: list[str], rounds: int, checks: int, progress: Console) -> list[Timing]:
    """Every part in both companies, in turns; what counts is the round in which nothing else kept the machine busy."""
    timings: list[Timing] = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))
        places = [await stack.enter_async_context(place(people, checks, Path(folder))) for people in (SMALL, LARGE)]
        for name in names:
            began = time.perf_counter()
            for _ in range(rounds):
                for where in places:
                    timings += [each async for each in PARTS[name](where)]
            progress.print(f"{name}: {time.perf_counter() - began:.1f} s", style="dim")
    return quietest(timings)


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer questions and rounds: some seconds.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Parts to run: {', '.join(PARTS)}.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a target is missed.")] = False,
) -> None:
    """Measure, and print every figure beside its target."""
    names = only or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: there is no such part; there are {', '.join(PARTS)}")
    rounds, checks = (QUICK_ROUNDS, QUICK_CHECKS) if quick else (ROUNDS, CHECKS)
    console, progress = Console(), Console(stderr=True)
    console = console if console.is_terminal else Console(width=WIDE)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    console.print(f"{os.cpu_count()} cores; load before: {load}")
    timings = asyncio.run(measure(names, rounds, checks, progress))
    show(timings, console)
    missed = misses(timings)
    for words in missed:
        console.print(f"missed: {words}", style="bold")
    console.print(f"{len(missed)} targets missed." if missed else "Every target that was measured is met.")
    if strict and missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()

"""What chat sessions cost: how fast they open, what they hold, how soon they answer; plainly spawned and forked.

Run it from the checkout: ``uv run benchmarks/sessions.py``, or with ``--quick`` in less than a minute. It starts a
server of its own over a temporary database, and leaves nothing behind. docs/performance.md tells what the figures mean.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script, this folder alone would be there

from benchmarks.figures import Figure, Spawning, show
from benchmarks.household import make_household
from benchmarks.parts import PARTS, QUICK, Extent
from benchmarks.processes import is_forked, tree_under
from benchmarks.running_server import RunningServer, running_server
from benchmarks.window import window

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

WARM_SECONDS = 60.0
WIDE = 110
"""Columns of a table that goes to a file."""

NO_DIFFERENCE = {"logins"}
"""Parts in which no session is opened: measured once."""


async def measure(names: list[str], extent: Extent, console: Console) -> list[Figure]:
    """Every part, on a fresh server and database for each way of spawning."""
    figures = []
    for spawning in Spawning:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            household = await make_household(Path(folder))
            async with running_server(household, spawning) as server:
                await warm_up(server)
                for name in names:
                    if spawning is Spawning.PLAIN and name in NO_DIFFERENCE:
                        continue
                    began = time.perf_counter()
                    figures += [figure async for figure in PARTS[name](server, extent)]
                    console.print(f"{spawning.name.lower()} {name}: {time.perf_counter() - began:.1f} s", style="dim")
    return figures


async def warm_up(server: RunningServer) -> None:
    """Have everything used once that a server does once, and wait until sessions are started as they are to be.

    Raises:
        TimeoutError: they are not: until its fork server is warm, a server starts them plainly.
    """
    wanted = server.spawning is Spawning.FORKED
    async with asyncio.timeout(WARM_SECONDS):
        while True:
            async with window(server, 0) as opened:
                await opened.ask("call")
                as_wanted = all(is_forked(pid) == wanted for pid in tree_under(server.process.pid)[1])
            await server.without_sessions()
            if as_wanted:
                return


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer sessions and rounds: less than a minute.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Parts to run: {', '.join(PARTS)}.")] = None,
    turns: Annotated[int | None, typer.Option(help="Turns of a conversation.", min=1)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a target is missed.")] = False,
) -> None:
    """Measure, and print every figure beside its target."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, it still clears away what it started
    names = only or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: there is no such part; there are {', '.join(PARTS)}")
    extent = QUICK if quick else Extent()
    extent = dataclasses.replace(extent, turns=turns) if turns else extent
    console, progress = Console(), Console(stderr=True)
    console = console if console.is_terminal else Console(width=WIDE)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    console.print(f"{os.cpu_count()} cores; load before: {load}")
    figures = asyncio.run(measure(names, extent, progress))
    show(figures, console)
    left_out = (
        f"Plain spawning is left out beyond {extent.most_spawned} at once: 80 MiB and most of a second of a core each."
    )
    console.print(left_out)
    missed = [figure for figure in figures if figure.missed]
    console.print(f"{len(missed)} targets missed." if missed else "Every target that was measured is met.")
    if strict and missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()

"""What an audit record costs: alone, in groups, signed, with an effect.

Run it from the checkout: ``uv run benchmarks/audit.py``, or with ``--quick`` in a second or two. It writes records of
calls as a server with a few hundred callers does, to an SQLite database of its own; ``--database-url`` names an empty
PostgreSQL database instead. Nothing is left behind on SQLite. docs/performance.md tells what the figures mean.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from permit_core.audit.log import AuditLog
from permit_core.audit.notary import Notary
from permit_core.audit.signing import KeyFolder, warm_up
from permit_core.database import Database
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from permit_core.stores.migrate import migrate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

CPU_AT_MOST = 25.0
"""Microseconds of CPU a record in groups."""

RATE_AT_LEAST = 10_000
"""Records a second in one process."""

CALLERS = 250
BODY = {
    "tool": "list_dishes",
    "arguments": {"restaurant_id": "1"},
    "outcome": "ok",
    "code": "",
    "decisions": [
        {
            "user": "3",
            "action": "list_dishes",
            "resource": "restaurants:1",
            "effect": "allow",
            "reason_code": "role",
            "rule": "resources.restaurants.roles.child-can-view",
        }
    ],
}


@dataclass(frozen=True)
class Figure:
    """One way to write records: CPU of the whole process for each, and how many a second; targets where there are any."""

    what: str
    microseconds: float
    per_second: float
    aimed: bool = False

    @property
    def missed(self) -> bool:
        """Whether a target was set, and not reached."""
        return self.aimed and (self.microseconds > CPU_AT_MOST or self.per_second < RATE_AT_LEAST)


async def measure(url: str, folder: Path, records: int, rounds: int) -> list[Figure]:
    """Each way in its best round, the one in which nothing else kept the machine busy."""
    database = Database.open(url)
    await migrate(database)
    warm_up()
    plain = AuditLog(database)
    signed = AuditLog(database, notary=Notary(database, KeyFolder(folder / "keys"), folder / "checkpoints.jsonl"))
    ways: dict[str, tuple[Callable[[], Awaitable[None]], int, bool]] = {
        "alone, waited for": (lambda: _noted(plain, records // 20, 1), records // 20, False),
        "an effect's, in its transaction": (lambda: _appended(database, plain, records // 20), records // 20, False),
        f"in groups, by {CALLERS} callers that wait": (lambda: _noted(plain, records, CALLERS), records, True),
        "in groups, queued and flushed": (lambda: _queued(plain, records), records, True),
        f"in groups, by {CALLERS} callers, signed": (lambda: _noted(signed, records, CALLERS), records, True),
        "in groups, queued and flushed, signed": (lambda: _queued(signed, records), records, True),
    }
    try:
        return [
            min([await _timed(what, *way) for _ in range(rounds)], key=lambda figure: figure.microseconds)
            for what, way in ways.items()
        ]
    finally:
        await signed.close()
        await database.close()


async def _timed(what: str, write: Callable[[], Awaitable[None]], records: int, aimed: bool) -> Figure:
    cpu, began = time.process_time(), time.perf_counter()
    await write()
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
    return Figure(what, cpu / records * 1e6, records / seconds, aimed)


def _call(number: int) -> AuditEvent:
    return AuditEvent("tool.call", Actor("default", "default", str(number % 100), agent="assistant"), BODY)


async def _noted(log: AuditLog, records: int, callers: int) -> None:
    async def caller(number: int) -> None:
        for _ in range(records // callers):
            await log.note(_call(number), durable=False)

    await asyncio.gather(*(caller(number) for number in range(callers)))


async def _queued(log: AuditLog, records: int) -> None:
    for number in range(records):
        await log.queue(_call(number), durable=False)
    await log.flush()


async def _appended(database: Database, log: AuditLog, records: int) -> None:
    for number in range(records):
        async with database.transaction(durable=False) as transaction:
            await log.append(transaction, _call(number))


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer records: a second or two.")] = False,
    database_url: Annotated[str, typer.Option(help="An empty database; a new SQLite file when not given.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a target is missed.")] = False,
) -> None:
    """Measure, and print every figure beside its target."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        url = database_url or f"sqlite+aiosqlite:///{Path(name, 'audit.db')}"
        figures = asyncio.run(measure(url, Path(name), *((2_000, 1) if quick else (50_000, 3))))
    table = Table("records", title="Audit", title_justify="left")
    for column in ("CPU each", "a second", "target", ""):
        table.add_column(column, justify="right")
    for figure in figures:
        target = f"<= {CPU_AT_MOST:.0f} us, >= {RATE_AT_LEAST:,}" if figure.aimed else ""
        verdict = "" if not figure.aimed else "missed" if figure.missed else "met"
        table.add_row(figure.what, f"{figure.microseconds:.1f} us", f"{figure.per_second:,.0f}", target, verdict)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    raise typer.Exit(1 if strict and any(figure.missed for figure in figures) else 0)


if __name__ == "__main__":
    app()

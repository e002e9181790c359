"""What a transaction costs at the door to the database: reading, writing, statement by statement and as one function.

Run it from the checkout: ``uv run benchmarks/database.py``, or with ``--quick`` in a second. It uses an SQLite database of its
own and leaves nothing behind; ``--database-url`` names an empty PostgreSQL database instead. Beside each figure stands the
same work on the bare driver, in one thread, where SQLite is used: the rest is the price of an event loop that is not held.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from permit_core.database import Database

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

ROUNDS = 5
"""Of which the quietest counts."""

SELECT, INSERT = text("SELECT count(*) FROM trips"), text("INSERT INTO trips VALUES (1)")


def _select(connection: Connection) -> int:
    return int(connection.execute(SELECT).scalar_one())


def _insert(connection: Connection) -> None:
    connection.execute(INSERT)


async def measured(database: Database, times: int) -> dict[str, float]:
    """Microseconds of CPU of each kind of transaction."""
    await database.write(lambda connection: connection.execute(text("CREATE TABLE trips (a INTEGER)")))

    async def statement_by_statement() -> None:
        async with database.transaction("benchmark", durable=False) as transaction:
            await transaction.execute(SELECT)
            await transaction.execute(INSERT)

    kinds: dict[str, Callable[[], Awaitable[object]]] = {
        "read, one function": lambda: database.read(_select),
        "write, one function": lambda: database.write(_insert, environment="benchmark", durable=False),
        "write, two statements": statement_by_statement,
    }
    return {name: min([await _cost(work, times) for _ in range(ROUNDS)]) for name, work in kinds.items()}


async def _cost(work: Callable[[], Awaitable[object]], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - began) / times * 1e6


def bare(file: Path, times: int) -> dict[str, float]:
    """The same on ``sqlite3`` alone."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE trips (a INTEGER)")

        def read() -> None:
            connection.execute(str(SELECT)).fetchall()

        def write() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(str(INSERT))
            connection.execute("COMMIT")

        def write_twice() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(str(SELECT)).fetchall()
            connection.execute(str(INSERT))
            connection.execute("COMMIT")

        kinds = {"read, one function": read, "write, one function": write, "write, two statements": write_twice}
        found = {}
        for name, work in kinds.items():
            rounds = []
            for _ in range(ROUNDS):
                began = time.process_time()
                for _ in range(times):
                    work()
                rounds.append((time.process_time() - began) / times * 1e6)
            found[name] = min(rounds)
        return found


@app.command()
def main(
    database_url: Annotated[str, typer.Option(help="An empty PostgreSQL database instead of SQLite.")] = "",
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Few repetitions, to see that it runs.")] = False,
) -> None:
    """Measure, and print a table."""
    times = 20 if quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(database_url or f"sqlite+aiosqlite:///{folder}/door.db")

        async def run() -> dict[str, float]:
            try:
                return await measured(database, times)
            finally:
                await database.close()

        ours = asyncio.run(run())
        alone = {} if database_url else bare(Path(folder, "bare.db"), times)
    table = Table("transaction", "microseconds of CPU", "bare driver")
    for name, cost in ours.items():
        table.add_row(name, f"{cost:.0f}", f"{alone[name]:.0f}" if name in alone else "")
    Console().print(table)


if __name__ == "__main__":
    app()

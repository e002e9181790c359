"""``permit-mcp audit``: looking into the log of everything that happened, and checking that nobody has been at it."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from permit_core.audit.log import AuditLog
from permit_core.audit.verify import VerifyReport
from permit_core.database import Database
from permit_core.errors import ConfigurationError, PermitError
from permit_core.ports.record import AuditRecord
from permit_core.settings import Settings
from permit_core.views import plain

BATCH = 500
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0

DAMAGED = 1
FAILED = 2

app = typer.Typer(help="The audit log: look into it, and check that it is as it was written.", no_args_is_help=True)


@app.command()
def verify() -> None:
    """Recompute the hash chain. Exit code 0: as it was written; 1: damaged, each record named; 2: could not look.

    The last line names the head. Kept elsewhere, it shows later that the log up to there was not rewritten.
    """
    report: VerifyReport = _run(lambda log: log.verify())
    for problem in report.problems:
        typer.echo(f"record {problem.seq}: {problem.damage.value}: {problem.text}")
    typer.echo(f"{'intact' if report.ok else 'DAMAGED'}: {report.records} records, head {report.head}")
    raise typer.Exit(0 if report.ok else DAMAGED)


@app.command()
def tail(
    number: Annotated[int, typer.Option("-n", "--number", min=0, max=10_000, help="How many records.")] = 10,
    event: Annotated[str | None, typer.Option(help="Only this event; 'tool' means 'tool.call' as well.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="Follow for so many seconds.")] = None,
) -> None:
    """Print the last records, oldest first: number, time, event, who, where, what."""
    try:
        _run(lambda log: _tail(log, number, event, follow=follow, seconds=seconds))
    except KeyboardInterrupt:  # before following began, or on Windows
        raise typer.Exit(0) from None


async def _tail(log: AuditLog, number: int, event: str | None, *, follow: bool, seconds: float | None) -> None:
    stopped = _stopped_by_interrupt()
    newest = await log.latest(1)
    after = newest[-1].seq if newest else 0
    for record in await log.latest(number, event, up_to_seq=after) if number else []:
        typer.echo(line_of(record))
    ends = None if seconds is None else time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while follow and not stopped.is_set() and (ends is None or time.monotonic() < ends):
        found = await log.records(after, BATCH, event)
        for record in found:
            typer.echo(line_of(record))
        if found:
            after, pause = found[-1].seq, FIRST_PAUSE_SECONDS
        if len(found) < BATCH:
            await _pause(stopped, pause if ends is None else min(pause, max(ends - time.monotonic(), 0)))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _stopped_by_interrupt() -> asyncio.Event:
    """Set by Ctrl-C: following ends between two looks, never in the middle of one."""
    stopped = asyncio.Event()
    with suppress(NotImplementedError):  # Windows: Ctrl-C interrupts at once there
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    return stopped


async def _pause(stopped: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


def line_of(record: AuditRecord) -> str:
    """A record as one line without anything that a terminal would obey."""
    at = record.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    who = f"{record.actor}@{record.tenant}" if record.tenant else record.actor
    body = json.dumps(dict(record.body), sort_keys=True, ensure_ascii=False)
    return plain(f"{record.seq} {at} {record.event} {who} {body}")


def _run(look: Callable[[AuditLog], Coroutine[Any, Any, Any]]) -> Any:
    """What ``look`` finds in the log of the database that the settings name; a failure is one sentence and exit 2."""

    async def looked(database: Database) -> Any:
        try:
            return await look(AuditLog(database))
        finally:
            await database.close()

    try:
        return asyncio.run(looked(_existing_database()))
    except PermitError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from None


def _existing_database() -> Database:
    database = Database.open(Settings.load().resolved_database_url, create=False)
    if database.is_sqlite and not Path(database.location).exists():
        raise ConfigurationError(f"there is no database {database.location} yet")
    return database

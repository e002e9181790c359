"""What commands for people have in common: a core, the operator in whose name they act, and how answers are shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, TypeVar

import typer

from permit_core.bootstrap import Core
from permit_core.errors import ConfigurationError, PermitError, StoreError, UserFacing
from permit_core.identity import Actor
from permit_core.settings import Settings
from permit_core.views import plain, written_out
from permit_mcp.core_source import open_filled_core

FAILED = 2
AT_A_TERMINAL = "terminal"
"""The session of what an operator does at a terminal, in every record of it."""

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Operator = Annotated[
    str | None,
    typer.Option(
        "--operator", metavar="KEY", help="Which of the policy's operators you are, where it names more than one."
    ),
]


def run(work: Callable[[Core], Awaitable[T]], **overrides: object) -> T:
    """Do something with the core that the settings name; what goes wrong is one sentence and exit code 2."""

    async def whole() -> T:
        core = await open_filled_core(Settings.load(**overrides))
        try:
            return await work(core)
        finally:
            await core.close()

    with one_sentence():
        return asyncio.run(whole())


@contextmanager
def one_sentence() -> Iterator[None]:
    """An error of ours as one sentence on standard error, and exit code 2."""
    try:
        yield
    except StoreError as error:  # whose text is for the operator, which this is
        typer.echo(plain(str(error)), err=True)
        raise typer.Exit(FAILED) from None
    except UserFacing as error:
        typer.echo(plain(f"{error.message} {error.hint} ({error.code})"), err=True)
        raise typer.Exit(FAILED) from None
    except PermitError as error:
        typer.echo(plain(str(error)), err=True)
        raise typer.Exit(FAILED) from None


async def operator(core: Core, key: str | None) -> Actor:
    """In whose name a command decides: an operator whom the policy names, and whom the directory knows.

    Raises:
        ConfigurationError: the policy names none, or several and none was chosen; or the directory does not know them.
    """
    known = sorted(core.model.operators)
    if not known:
        raise ConfigurationError(
            "the policy names no operators, so nobody decides at this terminal: add a line such as  operators: [KEY]"
        )
    if key is None and len(known) > 1:
        raise ConfigurationError(f"say which operator you are: --operator {' or '.join(known)}")
    chosen = key or known[0]
    if chosen not in known:
        raise ConfigurationError(f"{chosen!r} is none of the policy's operators: {', '.join(known)}")
    actor = await core.directory.actor(core.environment, core.settings.tenant, chosen)
    if actor is None:
        raise ConfigurationError(
            f"the operator {chosen!r} is no user of the directory in tenant {core.settings.tenant}"
        )
    return Actor(actor.environment, actor.tenant, actor.user, actor.name, None, AT_A_TERMINAL)


Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="TIME", help="When it ends: 17:00, or 2026-12-01 17:00, in this machine's time zone."
    ),
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="LENGTH", help="How long it lasts: 90 minutes, 2 hours, 7 days; or 2h, 7d."),
]


def end_of(until: str | None, length: str | None, now: datetime) -> datetime | None:
    """The moment, in UTC, that two options name; None when neither is given.

    Args:
        until: a time of day, which is the next such, or a date and a time; of this machine's time zone where it names none.
        length: how long from ``now`` on.
        now: the present moment, in UTC.

    Raises:
        ConfigurationError: both are given, or one cannot be read, or that moment is over.
    """
    if until is not None and length is not None:
        raise ConfigurationError("--until and --for say the same thing: leave one out")
    if length is not None:
        if (found := _LENGTH.match(length)) is None or int(found[1]) == 0:
            raise ConfigurationError(f"--for {length!r} is no length of time: write 2 hours, or 7d")
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    if until is None:
        return None
    try:
        if ":" in until[:3]:
            today, at = now.astimezone().date(), time.fromisoformat(until)
            moments = [datetime.combine(today + timedelta(days), at).astimezone() for days in (0, 1)]
            moment = next(moment for moment in moments if moment > now)
        else:
            moment = datetime.fromisoformat(until).astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationError(f"--until {until!r} is no time: write 17:00, or 2026-12-01 17:00") from None
    if moment <= now:
        raise ConfigurationError(f"--until {until!r} is over")
    return moment.astimezone(UTC)


def moment_in_words(moment: datetime) -> str:
    """A moment as the person at this machine reads it: ``2026-12-01 17:00 CET``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


_LENGTH = re.compile(r"(\d{1,6}) ?([smhd])(?:(?<=s)econds?|(?<=m)inutes?|(?<=h)ours?|(?<=d)ays?)?\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def show_json(value: Any) -> None:
    """Print a value for programs."""
    typer.echo(written_out(value, indent=2))


def show_table(rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    """Print rows for people, columns aligned, nothing cut."""
    if not rows:
        typer.echo(nothing)
        return
    names = list(rows[0])
    cells = [[plain(str(row[name] if row[name] is not None else "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names)]
    for row in [names, *cells]:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())

"""What commands for people have in common: a core, the operator in whose name they act, and how answers are shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import typer

from permit_core.bootstrap import Core
from permit_core.errors import ConfigurationError, PermitError, StoreError, UserFacing
from permit_core.identity import Actor
from permit_core.settings import Settings
from permit_core.views import plain
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


def show_json(value: Any) -> None:
    """Print a value for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=str))


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

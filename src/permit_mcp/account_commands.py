"""``permit-mcp accounts``: who may log in with a password. Passwords are typed at the terminal, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer

from permit_core.accounts.accounts import Account, Accounts
from permit_core.bootstrap import Core, open_core
from permit_core.errors import ConfigurationError, InvalidInput, PermitError, UserFacing
from permit_core.identity import Actor
from permit_core.settings import Settings
from permit_core.views import plain

FAILED = 2
TERMINAL = "/dev/tty"
AT_A_TERMINAL = "terminal"
"""The session of what an operator does at a terminal, in every record of it."""
MAX_LINE = 1000

T = TypeVar("T")

app = typer.Typer(help="Local accounts: who may log in with a password.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The log-in name.")]
Operator = Annotated[
    str | None,
    typer.Option(
        "--operator", metavar="KEY", help="Which of the policy's operators you are, where it names more than one."
    ),
]


@app.command()
def add(
    login: Login,
    user: Annotated[str, typer.Option(metavar="KEY", help="The directory's user whose account it is.")],
    operator: Operator = None,
) -> None:
    """Make an account, or open a closed one of the same user again; its password is asked for."""

    async def work(core: Core) -> None:
        who = await _operator(core, operator)
        account = await _accounts(core).add(who, login, user, _new_password())
        typer.echo(plain(f"{account.login} may log in as user {account.user}"))

    _run(work)


@app.command()
def password(login: Login, operator: Operator = None) -> None:
    """Give an account another password; it is asked for. Every token of the account ends."""

    async def work(core: Core) -> None:
        who = await _operator(core, operator)
        await _accounts(core).change_password(who, login, _new_password())
        typer.echo(plain(f"{login} has another password, and has to log in again everywhere"))

    _run(work)


@app.command()
def close(login: Login, operator: Operator = None) -> None:
    """Close an account. Every token of it ends; what it did stays on record."""

    async def work(core: Core) -> None:
        who = await _operator(core, operator)
        with _terminal() as terminal:
            answer = _ask(terminal, f"Close the account {plain(login)}? [y/N] ")
        if answer.lower() not in {"y", "yes"}:
            typer.echo("nothing was changed")
            raise typer.Exit(1)
        await _accounts(core).close(who, login)
        typer.echo(plain(f"{login} is closed"))

    _run(work)


@app.command("list")
def list_accounts(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Every account: log-in name, user, open or closed, when it was made and when its password was changed."""

    async def work(core: Core) -> list[Account]:
        return await _accounts(core).list_all(core.environment)

    rows = [
        {
            "login": account.login,
            "user": account.user,
            "state": account.state,
            "created": account.created_at.isoformat(timespec="seconds"),
            "password_changed": account.password_changed_at.isoformat(timespec="seconds"),
        }
        for account in _run(work)
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif rows:
        names = list(rows[0])
        cells = [names, *([plain(row[name]) for name in names] for row in rows)]
        widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
        for line in cells:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    else:
        typer.echo("there are no accounts yet; permit-mcp accounts add makes one")


def _run(work: Callable[[Core], Awaitable[T]]) -> T:
    """Do something with the core that the settings name; what goes wrong is one sentence and exit code 2."""

    async def whole() -> T:
        core = await open_core(Settings.load())
        try:
            return await work(core)
        finally:
            await core.close()

    try:
        return asyncio.run(whole())
    except PermitError as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        if isinstance(error, UserFacing) and error.hint:
            typer.echo(plain(error.hint), err=True)
        raise typer.Exit(FAILED) from None


async def _operator(core: Core, key: str | None) -> Actor:
    """In whose name a command acts: an operator whom the policy names, and whom the directory knows.

    Raises:
        ConfigurationError: the policy names none, or several and none was chosen; or the directory does not know them.
    """
    known = sorted(core.model.operators)
    if not known:
        raise ConfigurationError(
            "the policy names no operators, so nobody changes accounts here: add a line such as  operators: [KEY]"
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


def _accounts(core: Core) -> Accounts:
    return Accounts(core.database, core.audit, core.clock)


def _new_password() -> str:
    """A password, typed twice and not shown.

    Raises:
        ConfigurationError: there is no terminal.
        InvalidInput: ``invalid_password``: the two differ.
    """
    with _terminal() as terminal:
        first = _ask(terminal, "New password: ", secret=True)
        second = _ask(terminal, "The same again: ", secret=True)
    if first != second:
        raise InvalidInput("The two passwords differ.", code="invalid_password", hint="Nothing was changed; try again.")
    return first


@contextmanager
def _terminal() -> Iterator[int]:
    try:
        descriptor = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise ConfigurationError(
            "this asks a person at a terminal, and there is none here; no option answers for the person"
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ask(terminal: int, question: str, *, secret: bool = False) -> str:
    """A line that is typed from now on; what was typed before the question stood is dropped."""
    import termios  # only here: not every system has terminals

    before = termios.tcgetattr(terminal)
    during = termios.tcgetattr(terminal)
    if secret:
        during[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, during)
        os.write(terminal, question.encode())
        typed = b""
        while not typed.endswith(b"\n") and (more := os.read(terminal, MAX_LINE)):
            typed += more
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        if secret:
            os.write(terminal, b"\n")
    return typed.decode("utf-8", "surrogateescape").rstrip("\r\n")

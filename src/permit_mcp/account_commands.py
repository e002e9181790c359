"""``permit-mcp accounts``: who may log in with a password. Passwords are typed at the terminal, and nowhere else."""

from __future__ import annotations

from typing import Annotated

import typer

from permit_core.accounts.accounts import Account, Accounts
from permit_core.bootstrap import Core
from permit_core.errors import InvalidInput
from permit_core.views import plain
from permit_mcp.operating import AsJson, Operator, operator, run, show_json, show_table
from permit_mcp.terminal import at_the_terminal

app = typer.Typer(help="Local accounts: who may log in with a password.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The log-in name.")]


@app.command()
def add(
    login: Login,
    user: Annotated[str, typer.Option(metavar="KEY", help="The directory's user whose account it is.")],
    as_operator: Operator = None,
) -> None:
    """Make an account, or open a closed one of the same user again; its password is asked for."""

    async def work(core: Core) -> None:
        who = await operator(core, as_operator)
        account = await _accounts(core).add(who, login, user, _new_password())
        typer.echo(plain(f"{account.login} may log in as user {account.user}"))

    run(work)


@app.command()
def password(login: Login, as_operator: Operator = None) -> None:
    """Give an account another password; it is asked for. Every token of the account ends."""

    async def work(core: Core) -> None:
        who = await operator(core, as_operator)
        await _accounts(core).change_password(who, login, _new_password())
        typer.echo(plain(f"{login} has another password, and has to log in again everywhere"))

    run(work)


@app.command()
def close(login: Login, as_operator: Operator = None) -> None:
    """Close an account. Every token of it ends; what it did stays on record."""

    async def work(core: Core) -> None:
        who = await operator(core, as_operator)
        with at_the_terminal() as terminal:
            confirmed = terminal.confirms(f"Close the account {plain(login)}?")
        if not confirmed:
            typer.echo("nothing was changed")
            raise typer.Exit(1)
        await _accounts(core).close(who, login)
        typer.echo(plain(f"{login} is closed"))

    run(work)


@app.command("list")
def list_accounts(*, as_json: AsJson = False) -> None:
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
        for account in run(work)
    ]
    if as_json:
        show_json(rows)
    else:
        show_table(rows, "there are no accounts yet; permit-mcp accounts add makes one")


def _accounts(core: Core) -> Accounts:
    return Accounts(core.database, core.audit, core.clock)


def _new_password() -> str:
    """A password, typed twice and not shown.

    Raises:
        ConfigurationError: there is no terminal.
        InvalidInput: ``invalid_password``: the two differ.
    """
    with at_the_terminal() as terminal:
        first = terminal.ask("New password: ", secret=True)
        second = terminal.ask("The same again: ", secret=True)
    if first is None or first != second:
        raise InvalidInput("The two passwords differ.", code="invalid_password", hint="Nothing was changed; try again.")
    return first

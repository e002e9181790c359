"""``permit-mcp``: the one command line of the library, and of what is installed beside it.

Another distribution adds a command by an entry point of the group ``permit_mcp.commands``: its name is the command's, its
value a function or a ``typer.Typer``. It is loaded only when it is asked for.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points, version
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as command_of

from permit_core.bootstrap import seed_permit_io
from permit_core.errors import PermitError, UserFacing
from permit_core.settings import Settings
from permit_core.views import plain
from permit_mcp import (
    account_commands,
    audit_commands,
    directory_commands,
    grant_commands,
    init_command,
    policy_commands,
    request_commands,
)

FAILED = 2
ADDED = "permit_mcp.commands"
ELSEWHERE = MappingProxyType(
    {"local": "The Permit-compatible server is not part of this distribution: run it in a checkout of the project."}
)
"""Commands that people look for here and that another distribution brings, with what to do where it is not installed."""


class Commands(TyperGroup):
    """The library's commands, and those that other distributions add."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The names of all of them, the library's first."""
        own = super().list_commands(ctx)
        return [*own, *sorted(set(entry_points(group=ADDED).names) - set(own))]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The command of a name; a name that a distribution adds is loaded now. None where there is no such command."""
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        for point in entry_points(group=ADDED, name=cmd_name):
            added = point.load()
            if not isinstance(added, typer.Typer):
                function, added = added, typer.Typer(pretty_exceptions_show_locals=False)
                added.command(cmd_name)(function)
            command = command_of(added)
            command.name = cmd_name  # the name that was chosen at installation
            return command
        if cmd_name in ELSEWHERE:
            ctx.fail(f"there is no command '{cmd_name}' here. {ELSEWHERE[cmd_name]}")
        return None


app = typer.Typer(
    cls=Commands,
    name="permit-mcp",
    help="Let AI agents act with a human's consent: the policy, people's answers, the audit log, and an MCP server.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command()(init_command.init)
app.add_typer(policy_commands.app, name="policy")
app.add_typer(directory_commands.app, name="facts")
app.command()(directory_commands.users)
app.command()(grant_commands.grant)
app.command()(grant_commands.revoke)
app.add_typer(request_commands.app, name="requests")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(account_commands.app, name="accounts")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"permit-mcp {version('permit-mcp')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    wanted: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version.")
    ] = False,
) -> None:
    del wanted


@app.command()
def serve(
    acting_user: Annotated[
        str | None, typer.Option(metavar="KEY", help="Act for this user only; without it every call names a user.")
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve over HTTP to everybody whose token the issuer signed."),
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="The authorization server, as tokens name it. With --http.")
    ] = None,
    resource: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="This server's URL, as clients use it and tokens name it. By default http://HOST:PORT/mcp.",
        ),
    ] = None,
) -> None:
    """Serve the built-in tools: over stdio to clients on this machine, or over HTTP to several people."""
    if (http is None) is not (issuer is None):
        raise typer.BadParameter("--http and --issuer belong together: who calls is told by the issuer's tokens")
    if http is None and resource is not None:
        raise typer.BadParameter("--resource is for --http")
    if http is not None and acting_user is not None:
        raise typer.BadParameter("over HTTP each token says for whom it acts: leave --acting-user out")
    # Not at the top: the MCP SDK is slow to import, and no other command needs it.
    from permit_mcp import server

    if http is not None and issuer is not None:
        raise typer.Exit(server.main_over_http(http, issuer, resource))
    raise typer.Exit(server.main([] if acting_user is None else ["--acting-user", acting_user]))


@app.command()
def seed() -> None:
    """Write the policy and the facts file into the Permit.io environment of PERMIT_API_KEY.

    Resources, roles, derivations, condition sets, rules, elements, users, instances, relationships and role
    assignments. What is there already stays: run it again after a failure, or as often as you like.
    """
    try:
        done = asyncio.run(seed_permit_io(Settings.load()))
    except PermitError as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        if isinstance(error, UserFacing) and error.hint:
            typer.echo(plain(error.hint), err=True)
        raise typer.Exit(FAILED) from None
    for what in (*done.schema, *done.facts):
        typer.echo(plain(f"wrote {what}"))
    typer.echo(
        f"{len(done.schema)} changes of the schema, {len(done.facts)} of the facts; Permit.io is as the files say"
    )


def main() -> None:
    """Entry point of the ``permit-mcp`` script."""
    app()


if __name__ == "__main__":
    main()

"""``permit-mcp``: the one command line of the library, and of what is installed beside it.

Another distribution adds a command by an entry point of the group ``permit_mcp.commands``: its name is the command's, its
value a function or a ``typer.Typer``. It is loaded only when it is asked for.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as command_of

from permit_mcp import account_commands, audit_commands, policy_commands, seed_command

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
            return command_of(added)
        if cmd_name in ELSEWHERE:
            ctx.fail(f"there is no command '{cmd_name}' here. {ELSEWHERE[cmd_name]}")
        return None


app = typer.Typer(
    cls=Commands,
    name="permit-mcp",
    help="Let AI agents act with a human's consent: the policy, the audit log, and a stand-alone MCP server.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(policy_commands.app, name="policy")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(account_commands.app, name="accounts")
app.command()(seed_command.seed)


@app.command()
def serve(
    acting_user: Annotated[
        str | None, typer.Option(metavar="KEY", help="Act for this user only; without it every call names a user.")
    ] = None,
) -> None:
    """Serve the nine tools over stdio, for Claude Desktop and other MCP clients on this machine."""
    # Not at the top: the MCP SDK is slow to import, and no other command needs it.
    from permit_mcp import server

    raise typer.Exit(server.main([] if acting_user is None else ["--acting-user", acting_user]))


def main() -> None:
    """Entry point of the ``permit-mcp`` script."""
    app()


if __name__ == "__main__":
    main()

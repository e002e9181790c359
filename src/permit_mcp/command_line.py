"""``permit-mcp``: the one command line of the library."""

from __future__ import annotations

from typing import Annotated

import typer

from permit_mcp import account_commands, audit_commands, policy_commands, seed_command

app = typer.Typer(
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

"""``permit-mcp local``: the command that this package adds to the library's."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

FAILED = 2


def local(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 7766,
    new_key: Annotated[
        Literal["environment", "organization"] | None,
        typer.Option(help="Make one more API key and show it: the first one is shown on the first start alone."),
    ] = None,
) -> None:
    """Serve a Permit.io-compatible API and decision point on this machine."""
    # Not at the top: help needs no web server.
    from permit_api import local as serving
    from permit_core.errors import PermitError

    try:
        serving.run(host, port, new_key)
    except PermitError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from None

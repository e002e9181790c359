"""``permit-mcp seed``: writing the policy and the first facts into Permit.io."""

from __future__ import annotations

import asyncio

import typer

from permit_core.bootstrap import Seeded, seed_permit_io
from permit_core.errors import PermitError, UserFacing
from permit_core.settings import Settings
from permit_core.views import plain

FAILED = 2


def seed() -> None:
    """Write the policy and the facts file into the Permit.io environment of PERMIT_API_KEY.

    Resources, roles, derivations, condition sets, rules, elements, users, instances, relationships and role
    assignments. What is there already stays: run it again after a failure, or as often as you like.
    """
    try:
        done = asyncio.run(_seed())
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


async def _seed() -> Seeded:
    return await seed_permit_io(Settings.load())

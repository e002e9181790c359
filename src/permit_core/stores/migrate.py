"""Bringing a database's schema up to date: Alembic, run from within the program.

Every package with tables has a chain of its own: a folder of revisions and a version table. Revisions are never
edited after a release.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text

from permit_core.database import Database
from permit_core.errors import ConfigurationError
from permit_core.stores.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

CORE_MIGRATIONS = Path(__file__).parent / "migrations"
CORE_VERSION_TABLE = "permit_core_version"
MOST_NAMED = 5
"""So many tables are named in a sentence."""


async def migrate(
    database: Database,
    script_location: Path = CORE_MIGRATIONS,
    version_table: str = CORE_VERSION_TABLE,
    tables: MetaData | None = None,
    until: str = "head",
) -> None:
    """Run what is missing of a chain of revisions, all in one write transaction; at once done when nothing is.

    Several processes may start on one empty database: one makes the tables, the others wait and find them.

    Args:
        database: what to bring up to date.
        script_location: the folder of the chain; its ``env.py`` calls :func:`run_migrations`.
        version_table: where this chain keeps its place.
        tables: what the whole chain makes, so that a damaged or foreign database is told; None for the core's own chain
            means the core's tables.
        until: the last revision to run, for a chain whose next ones build on what another chain makes.

    Raises:
        ConfigurationError: the database was made by a newer version of the program, or is damaged, or another program's;
            nothing was changed.
        StoreError: the database is unreachable or busy.
    """
    made = tables if tables is not None else metadata if script_location == CORE_MIGRATIONS else MetaData()
    async with database.reading() as reading:
        names, revisions = await reading.run_sync(_standing, version_table)
    at = _revision(database.location, version_table, revisions)
    own = sorted(names & made.tables.keys())
    if at is None and own:
        raise ConfigurationError(
            f"the database {database.location} has {_listed(own)} but no {version_table}: it is another program's, or "
            "damaged. Nothing was changed; name another database, or put a backup in its place"
        )
    if at == _newest_file(script_location):
        if missing := sorted(made.tables.keys() - names):
            raise ConfigurationError(
                f"the database {database.location} is at revision {at} of {version_table} and lacks {_listed(missing)}: "
                "it is damaged. Put a backup in its place"
            )
        return
    # Alembic is slow to import, and a process that finds its schema ready never needs it.
    from alembic import command

    logging.getLogger("alembic").setLevel(logging.WARNING)  # its steps are nothing to whoever starts a server
    config, script = _chain(script_location, version_table)
    if at == script.get_current_head() or (until != "head" and at is not None and at >= until):
        return
    known = {revision.revision for revision in script.walk_revisions()}
    if at is not None and at not in known:
        raise ConfigurationError(
            f"the database {database.location} is at revision {at}, which this version does not know: "
            "start the newer version that made it"
        )

    def upgrade(connection: Connection) -> None:
        if not connection.in_transaction():  # Alembic would begin, and commit, one of its own
            connection.begin()
        config.attributes["connection"] = connection
        command.upgrade(config, until)

    await database.restructure(upgrade)


def run_migrations() -> None:
    """What each chain's ``env.py`` does: run the revisions on the connection that :func:`migrate` opened."""
    from alembic import context

    attributes = context.config.attributes
    context.configure(connection=attributes["connection"], version_table=attributes["version_table"])
    with context.begin_transaction():
        context.run_migrations()


def _chain(script_location: Path, version_table: str) -> tuple[Config, ScriptDirectory]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()  # no file: Alembic is to leave our logging alone
    config.set_main_option("script_location", str(script_location).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = version_table
    return config, ScriptDirectory.from_config(config)


def _newest_file(script_location: Path) -> str:
    """The newest revision as its file's name has it: ``0002_more_notices.py`` is revision 0002."""
    return max((path.stem.partition("_")[0] for path in (script_location / "versions").glob("[0-9]*.py")), default="")


def _standing(connection: Connection, version_table: str) -> tuple[set[str], list[str]]:
    """The tables that are there, and every row of the version table."""
    names = set(inspect(connection).get_table_names())
    if version_table not in names:
        return names, []
    # The name is a constant of ours, never input.
    rows = connection.execute(text(f'SELECT version_num FROM "{version_table}"')).scalars()  # noqa: S608
    return names, [str(row) for row in rows]


def _revision(location: str, version_table: str, revisions: list[str]) -> str | None:
    if len(revisions) > 1:
        raise ConfigurationError(
            f"the database {location} is at {len(revisions)} revisions at once ({_listed(sorted(revisions))}): {version_table} "
            "has one row in a sound database. Put a backup in its place, or delete the rows that are not true"
        )
    return revisions[0] if revisions else None


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"

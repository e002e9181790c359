"""Bringing a database's schema up to date: Alembic, run from within the program.

Every package with tables has a chain of its own: a folder of revisions and a version table. Revisions are never
edited after a release.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from permit_core.database import Database
from permit_core.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

CORE_MIGRATIONS = Path(__file__).parent / "migrations"
CORE_VERSION_TABLE = "permit_core_version"


async def migrate(
    database: Database, script_location: Path = CORE_MIGRATIONS, version_table: str = CORE_VERSION_TABLE
) -> None:
    """Run what is missing of a chain of revisions, all in one write transaction; at once done when nothing is.

    Several processes may start on one empty database: one makes the tables, the others wait and find them.

    Args:
        database: what to bring up to date.
        script_location: the folder of the chain; its ``env.py`` calls :func:`run_migrations`.
        version_table: where this chain keeps its place.

    Raises:
        ConfigurationError: the database was made by a newer version of the program.
        StoreError: the database is unreachable or busy.
    """
    async with database.reading() as reading:
        at = await reading.run_sync(_revision, version_table)
    if at == _newest_file(script_location):
        return
    # Alembic is slow to import, and a process that finds its schema ready never needs it.
    from alembic import command

    config, script = _chain(script_location, version_table)
    if at == script.get_current_head():
        return
    known = {revision.revision for revision in script.walk_revisions()}
    if at is not None and at not in known:
        raise ConfigurationError(
            f"the database {database.location} is at revision {at}, which this version does not know: "
            "start the newer version that made it"
        )
    async with database.transaction() as transaction:

        def upgrade(connection: Connection) -> None:
            if not connection.in_transaction():  # Alembic would begin, and commit, one of its own
                connection.begin()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        await transaction.run_sync(upgrade)


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


def _revision(connection: Connection, version_table: str) -> str | None:
    if not inspect(connection).has_table(version_table):
        return None
    # The name is a constant of ours, never input.
    found = connection.execute(text(f'SELECT version_num FROM "{version_table}"')).scalar_one_or_none()  # noqa: S608
    return None if found is None else str(found)

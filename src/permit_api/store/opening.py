"""Opening the database of the server: the newest tables, of its own and of the core."""

from __future__ import annotations

from pathlib import Path

from permit_api.store.tables import metadata
from permit_core.database import Database
from permit_core.stores.migrate import migrate

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "api_version"
OWN_NAMES = "0001"
"""The revision that gives our tables names that are nobody else's."""


async def open_store(database: Database) -> None:
    """Bring the schema up to date.

    What an earlier version made has the names of the core's tables, so that it is renamed first. What refers to the core's
    tables is made last.

    Raises:
        ConfigurationError: a newer version of the program made the database.
        StoreError: it is unreachable or busy.
    """
    await migrate(database, MIGRATIONS, VERSION_TABLE, metadata, until=OWN_NAMES)
    await migrate(database)
    await migrate(database, MIGRATIONS, VERSION_TABLE, metadata)

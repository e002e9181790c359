"""Opening the database of the server: the newest tables, of its own and of the core."""

from __future__ import annotations

from pathlib import Path

from permit_api.store.tables import metadata
from permit_core.database import Database
from permit_core.stores.migrate import migrate

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "api_version"


async def open_store(database: Database) -> None:
    """Bring the schema up to date. Ours first: what an earlier version made has the names of the core's tables.

    Raises:
        ConfigurationError: a newer version of the program made the database.
        StoreError: it is unreachable or busy.
    """
    await migrate(database, MIGRATIONS, VERSION_TABLE, metadata)
    await migrate(database)

"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from permit_api.store.opening import VERSION_TABLE, open_store
from permit_api.store.tables import metadata
from permit_core.database import Database


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[Database]:
    database = Database.open(database_url)
    try:
        yield database
    finally:
        await database.close()


def differences(connection: Connection) -> list[object]:
    ours = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=ours), metadata))


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(opened: Database) -> None:
    await open_store(opened)
    await open_store(opened)  # nothing is missing any more
    assert await opened.read(differences) == []


async def test_a_table_that_is_missing_is_noticed(opened: Database) -> None:
    await open_store(opened)
    await opened.write(lambda connection: connection.exec_driver_sql("DROP TABLE logins"))
    assert await opened.read(differences) != []

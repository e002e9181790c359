"""The migrations make exactly the tables that the code knows, also of a database of an earlier version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from permit_api.store.opening import MIGRATIONS, VERSION_TABLE, open_store
from permit_api.store.tables import metadata
from permit_core.database import Database
from permit_core.stores.migrate import migrate


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


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """The chain as it was when its first revision was the only one."""
    folder = tmp_path / "first"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako", "versions/0001_first.py"):
        (folder / name).write_text((MIGRATIONS / name).read_text())
    return folder


AT = "'2026-11-22 12:00:00+00:00'"
OLD_ROWS = (
    f"INSERT INTO organizations (id, key, created_at, updated_at) VALUES ('o', 'o', {AT}, {AT})",
    "INSERT INTO projects (id, organization_id, key, body, created_at, updated_at) "
    f"VALUES ('p', 'o', 'p', '{{}}', {AT}, {AT})",
    "INSERT INTO environments (id, organization_id, project_id, key, body, schema_version, facts_version, created_at, "
    f"updated_at) VALUES ('e', 'o', 'p', 'e', '{{}}', 1, 1, {AT}, {AT})",
    "INSERT INTO tenants (id, environment_id, key, name, attributes, last_action_at, created_at, updated_at) "
    f"VALUES ('t', 'e', 'default', 'Home', '{{}}', {AT}, {AT}, {AT})",
    "INSERT INTO users (id, environment_id, key, attributes, created_at, updated_at) "
    f"VALUES ('u', 'e', 'henry', '{{}}', {AT}, {AT})",
    "INSERT INTO logins (id, environment_id, user_id, tenant_id, digest, expires_at, created_at, updated_at) "
    f"VALUES ('l', 'e', 'u', 't', 'd', {AT}, {AT}, {AT})",
)


async def test_log_ins_of_an_earlier_version_end_because_nobody_knows_by_which_key_they_were_made(
    opened: Database, first_version: Path
) -> None:
    await migrate(opened, first_version, VERSION_TABLE)
    async with opened.transaction() as transaction:
        for statement in OLD_ROWS:
            await transaction.execute(text(statement))
    await open_store(opened)
    assert await opened.read(differences) == []
    async with opened.reading() as reading:
        for table, rows in (("users", 1), ("tenants", 1), ("logins", 0)):
            counted = await reading.execute(text(f"SELECT count(*) FROM {table}"))
            assert counted.scalar_one() == rows


async def test_a_table_that_is_missing_is_noticed(opened: Database) -> None:
    await open_store(opened)
    await opened.write(lambda connection: connection.exec_driver_sql("DROP TABLE logins"))
    assert await opened.read(differences) != []

"""The migrations make exactly the tables that the code knows, also of a database of an earlier version."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Boolean, Column, Connection, DateTime, Integer, MetaData, insert, select
from sqlalchemy.types import JSON

from permit_api.store.directory import STORED
from permit_api.store.opening import VERSION_TABLE, open_store
from permit_api.store.tables import PREFIX, metadata, requests
from permit_core.audit.comparisons import GrantComparison, RequestComparison
from permit_core.audit.log import AuditLog
from permit_core.database import Database
from permit_core.errors import StoreError
from permit_core.stores.migrate import migrate
from permit_core.stores.tables import metadata as tables_of_the_core

EARLIER = Path(__file__).parent / "earlier"
EARLIER_VERSION = "permit_api_version"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[Database]:
    database = Database.open(database_url)
    try:
        yield database
    finally:
        await database.close()


def differences(connection: Connection) -> list[object]:
    of_the_core = tables_of_the_core.tables

    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
        return kind != "table" or (name not in of_the_core and name != "permit_core_version")

    wanted = {
        "version_table": VERSION_TABLE,
        "compare_type": True,
        "compare_server_default": True,
        "include_object": ours,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=wanted), metadata))


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(opened: Database) -> None:
    await open_store(opened)
    await open_store(opened)  # nothing is missing any more
    assert await opened.read(differences) == []


async def test_they_find_room_beside_what_the_core_has_already(opened: Database) -> None:
    await migrate(opened)
    await open_store(opened)
    assert await opened.read(differences) == []


def earlier(folder: Path, revisions: int) -> Path:
    """The chain of a version that had a database of its own, as it was with so many revisions."""
    shutil.copytree(EARLIER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in sorted((folder / "versions").glob("0*.py"))[revisions:]:
        file.unlink()
    return folder


def value_of(column: Column[Any]) -> Any:
    """Something for a column: a reference is to the one row of the other table."""
    for key in column.foreign_keys:
        return f"{key.column.table.name}-id"
    if isinstance(column.type, DateTime):
        return AT
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, Integer):
        return 7
    return {"of": column.name} if isinstance(column.type, JSON) else f"{column.table.name}-{column.name}"[:10]


# Columns that say the same as others.
THAT_FIT = {"roles": {"owner_id": "resources-id"}, "assignments": {"place": "instances-id"}}


def fill(connection: Connection) -> dict[str, dict[str, Any]]:
    """One row in every table; table -> row."""
    there = MetaData()
    there.reflect(connection)
    rows = {}
    for table in there.sorted_tables:
        if table.name != EARLIER_VERSION:
            rows[table.name] = {column.name: value_of(column) for column in table.c}
            rows[table.name] |= {"id": f"{table.name}-id"} if "id" in table.c else {}
            rows[table.name] |= THAT_FIT.get(table.name, {})
            connection.execute(insert(table), rows[table.name])
    return rows


@pytest.mark.parametrize("revisions", [1, 2, 3])
async def test_every_row_of_an_earlier_version_is_there_under_the_new_names(
    opened: Database, tmp_path: Path, revisions: int
) -> None:
    await migrate(opened, earlier(tmp_path / "earlier", revisions), EARLIER_VERSION)
    rows = await opened.write(fill)
    await open_store(opened)
    assert await opened.read(differences) == []
    moved = {table.name: table for table in (*STORED, requests)}
    own = {table.name.removeprefix(PREFIX) for table in metadata.tables.values()} - {
        "checks",
        "asked",
    }  # which are newer
    assert rows.keys() == own | moved.keys()
    del rows["environments"]["facts_version"]  # the state of the facts is the core's to say
    if revisions == 1:
        del rows["logins"]  # nobody knows by which key they were made: they end
    for name, row in rows.items():
        table = moved.get(name, metadata.tables.get(PREFIX + name))
        found = await opened.read(lambda connection, of=table: connection.execute(select(of)).mappings().all())  # type: ignore[misc]
        assert [{key: each[key] for key in row} for each in found] == [row], name
    compared = await AuditLog(opened).verify("environments-id", comparisons=[GrantComparison(), RequestComparison()])
    assert compared.ok
    assert compared.records == 2  # which tell of the role and the request that were there


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_process_that_is_killed_between_two_chains_leaves_what_the_next_goes_on_with(
    opened: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    await migrate(opened, earlier(tmp_path / "earlier", 3), EARLIER_VERSION)
    await opened.write(fill)
    left = steps

    async def some_steps(database: Database, *chain: Any, **until: Any) -> None:
        nonlocal left
        if not left:
            raise StoreError("the process was killed")
        left -= 1
        await migrate(database, *chain, **until)

    with monkeypatch.context() as patched:
        patched.setattr("permit_api.store.opening.migrate", some_steps)
        with pytest.raises(StoreError):
            await open_store(opened)
    await open_store(opened)
    users = next(table for table in STORED if table.name == "users")
    assert len(await opened.read(lambda connection: connection.execute(select(users)).all())) == 1


async def test_a_table_that_is_missing_is_noticed(opened: Database) -> None:
    await open_store(opened)
    await opened.write(lambda connection: connection.exec_driver_sql(f"DROP TABLE {PREFIX}logins"))
    assert await opened.read(differences) != []

"""Statements that are compiled once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select, update

from permit_core.database import Database
from permit_core.prepared import Prepared
from permit_core.stores.tables import UtcDateTime

metadata = MetaData()
notes = Table(
    "notes", metadata, Column("id", Integer, primary_key=True), Column("body", String(50)), Column("at", UtcDateTime)
)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

ADD = Prepared(insert(notes), notes.c.keys())
CHANGE = Prepared(
    update(notes).where(notes.c.id > bindparam("first"), notes.c.body == "old").values(body=bindparam("words"))
)
COUNT = Prepared(select(notes.c.id, notes.c.body).where(notes.c.body == bindparam("words")))


@pytest.fixture
async def made(database: Database) -> Database:
    await database.write(metadata.create_all)
    return database


async def test_values_reach_the_database_as_its_columns_want_them(made: Database) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    await made.write(lambda connection: ADD.run(connection, {"id": 1, "body": None, "at": elsewhere}))
    async with made.reading() as reading:
        assert [tuple(row) for row in await reading.execute(select(notes))] == [(1, None, NOON)]


async def test_several_sets_of_values_are_written_at_once_and_rows_are_counted(made: Database) -> None:
    rows = [{"id": number, "body": "old", "at": NOON} for number in range(1, 4)]
    await made.write(lambda connection: ADD.run(connection, rows))
    assert (
        await made.write(lambda connection: CHANGE.run(connection, {"first": 1, "words": "' OR 1=1 --"}).rowcount) == 2
    )
    found = await made.read(lambda connection: COUNT.run(connection, {"words": "' OR 1=1 --"}).all())
    assert [(row.id, row.body) for row in found] == [(2, "' OR 1=1 --"), (3, "' OR 1=1 --")]


async def test_a_value_that_is_missing_is_an_error(made: Database) -> None:
    with pytest.raises(KeyError):
        await made.write(lambda connection: CHANGE.run(connection, {"first": 1}))

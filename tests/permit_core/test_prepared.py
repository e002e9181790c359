"""Statements that are compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select, update

from permit_core.database import Database
from permit_core.errors import ConstraintViolated
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
    assert await made.write(lambda connection: CHANGE.run(connection, {"first": 1, "words": "' OR 1=1 --"})) == 2
    found = await made.read(lambda connection: COUNT.all(connection, {"words": "' OR 1=1 --"}))
    assert [(row.id, row.body) for row in found] == [(2, "' OR 1=1 --"), (3, "' OR 1=1 --")]


async def test_a_value_that_is_missing_is_an_error(made: Database) -> None:
    with pytest.raises(KeyError):
        await made.write(lambda connection: CHANGE.run(connection, {"first": 1}))


async def test_what_is_found_is_what_its_columns_say(made: Database) -> None:
    await made.write(lambda connection: ADD.run(connection, {"id": 1, "body": "x", "at": NOON}))
    whole = Prepared(select(notes).where(notes.c.id == bindparam("which")))
    (row,) = await made.read(lambda connection: whole.all(connection, {"which": 1}))
    assert (row.id, row.body, row.at) == (1, "x", NOON)
    assert await made.read(lambda connection: whole.all(connection, {"which": 2})) == []


async def test_a_violated_constraint_says_so_as_everywhere(made: Database) -> None:
    await made.write(lambda connection: ADD.run(connection, {"id": 1, "body": "x", "at": NOON}))
    once = {"id": 1, "body": "y", "at": NOON}
    both: list[Mapping[str, object] | Sequence[Mapping[str, object]]] = [once, [once]]
    for again in both:
        with pytest.raises(ConstraintViolated):
            await made.write(partial(ADD.run, values=again))

"""Times in the tables."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select

from permit_core.database import Database
from permit_core.errors import StoreError
from permit_core.stores.tables import seeds


async def test_a_time_comes_back_in_utc_to_the_microsecond(database: Database) -> None:
    there = datetime(2026, 11, 22, 21, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    async with database.transaction() as transaction:
        await transaction.execute(insert(seeds).values(environment="e", name="x", digest="", loaded_at=there))
    async with database.reading() as reading:
        back = (await reading.execute(select(seeds.c.loaded_at))).scalar_one()
    assert back == there
    assert back.tzinfo is UTC


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="time zone"):
        async with database.transaction() as transaction:
            await transaction.execute(
                insert(seeds).values(environment="e", name="x", digest="", loaded_at=datetime(2026, 11, 22))  # noqa: DTZ001
            )

"""The throw-away database of the warm-up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from permit_core.database import Database
from permit_core.errors import ConfigurationError
from prefork.warm_up import another_database, in_a_fork

pytestmark = pytest.mark.slow


async def count(database: Database) -> int:
    async with database.reading() as reading:
        return int((await reading.execute(text("SELECT count(*) FROM sqlite_master"))).scalar_one())


async def test_what_is_done_in_the_warm_up_is_not_done_to_the_real_database(tmp_path: Path) -> None:
    database = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'real.db'}")
    async with another_database(database, tmp_path / "other.db") as other:
        async with other.transaction() as transaction:
            await transaction.execute(text("CREATE TABLE played (x)"))
        assert await count(other) == 1
    assert await count(database) == 0
    await database.close()
    assert (tmp_path / "other.db").stat().st_size


async def test_for_another_kind_of_database_the_warm_up_is_on_sqlite(tmp_path: Path) -> None:
    database = Database.open("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with another_database(database, tmp_path / "other.db") as other:
        assert other.is_sqlite
        assert await count(other) == 0
    await database.close()


def test_work_done_apart_leaves_its_files_and_nothing_in_this_process(tmp_path: Path) -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)
        (tmp_path / "made").touch()

    in_a_fork(work)
    assert (tmp_path / "made").exists()
    assert done == []


def test_work_that_fails_apart_is_an_error_here(capfd: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("it did not work")

    with pytest.raises(ConfigurationError):
        in_a_fork(work)
    assert "it did not work" in capfd.readouterr().err

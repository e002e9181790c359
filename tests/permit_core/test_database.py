"""The one door to the database."""

import asyncio
import threading
from pathlib import Path

import anyio
import pytest
from sqlalchemy import Connection, text

import permit_core.database
from permit_core.database import Database, Transaction
from permit_core.errors import ConfigurationError, ConstraintViolated, StoreError, StoreMisused


@pytest.fixture
async def notes(database: Database) -> Database:
    async with database.transaction() as transaction:
        await transaction.execute(text("CREATE TABLE notes (body VARCHAR(20) PRIMARY KEY)"))
    return database


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permit_core.database, "BUSY_TIMEOUT_MS", 100)


async def write(transaction: Transaction, body: str) -> None:
    await transaction.execute(text("INSERT INTO notes VALUES (:body)"), {"body": body})


async def count(transaction: Transaction) -> int:
    return int((await transaction.execute(text("SELECT count(*) FROM notes"))).scalar_one())


async def test_what_a_transaction_wrote_is_there_when_its_body_ends(notes: Database) -> None:
    async with notes.transaction() as transaction:
        await write(transaction, "kept")
    async with notes.reading() as reading:
        assert await count(reading) == 1


async def test_nothing_of_a_body_that_raises_is_there(notes: Database) -> None:
    async def write_and_fail() -> None:
        async with notes.transaction() as transaction:
            await write(transaction, "lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    async with notes.reading() as reading:
        assert await count(reading) == 0


async def test_nothing_of_a_cancelled_body_is_there_and_the_next_writer_need_not_wait(notes: Database) -> None:
    with anyio.move_on_after(0.1) as scope:
        async with notes.transaction() as transaction:
            await write(transaction, "lost")
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    with anyio.fail_after(2):
        async with notes.transaction() as transaction:
            assert await count(transaction) == 0


async def test_a_reader_sees_one_state_and_does_not_wait_for_a_writer(notes: Database) -> None:
    with anyio.fail_after(5):
        async with notes.reading() as reading:
            before = await count(reading)
            async with notes.transaction() as transaction:
                await write(transaction, "new")
                assert await count(reading) == before
            assert await count(reading) == before


async def test_a_reader_cannot_write(notes: Database) -> None:
    with pytest.raises(StoreError, match=r"read-?only"):
        async with notes.reading() as reading:
            await write(reading, "no")
    async with notes.transaction() as transaction:
        await write(transaction, "writers can")


async def test_writers_take_turns_from_before_they_read(notes: Database, database_url: str) -> None:
    other = Database.open(database_url)

    async def add_one(database: Database) -> None:
        async with database.transaction() as transaction:
            seen = await count(transaction)
            await asyncio.sleep(0)
            await write(transaction, str(seen))  # would be a duplicate if two had seen the same

    try:
        with anyio.fail_after(20):
            await asyncio.gather(*(add_one(database) for database in [notes, other] * 10))
        async with notes.reading() as reading:
            assert await count(reading) == 20
    finally:
        await other.close()


async def test_a_whole_transaction_can_be_handed_over(notes: Database) -> None:
    def add(connection: Connection) -> int:
        connection.execute(text("INSERT INTO notes VALUES ('one')"))
        connection.execute(text("INSERT INTO notes VALUES (:body)"), [{"body": "two"}, {"body": "three"}])
        return int(connection.execute(text("SELECT count(*) FROM notes")).scalar_one())

    assert await notes.write(add) == 3
    with pytest.raises(ConstraintViolated):
        await notes.write(add)
    assert await notes.read(lambda c: c.execute(text("SELECT count(*) FROM notes")).scalar_one()) == 3


async def test_a_transaction_handed_over_for_reading_cannot_write(notes: Database) -> None:
    with pytest.raises(StoreError, match=r"read-?only"):
        await notes.read(lambda connection: connection.execute(text("INSERT INTO notes VALUES ('no')")))
    await notes.write(lambda connection: connection.execute(text("INSERT INTO notes VALUES ('yes')")))


async def test_a_transaction_handed_over_within_one_is_an_error_at_once(notes: Database) -> None:
    with anyio.fail_after(2):
        async with notes.transaction():
            with pytest.raises(StoreMisused, match="within a write transaction"):
                await notes.write(lambda _: None)


async def test_a_transaction_handed_over_ends_whole_or_not_at_all_when_its_caller_is_cancelled(notes: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(10)
        for body in "ab":
            connection.execute(text("INSERT INTO notes VALUES (:body)"), {"body": body})

    writing = asyncio.create_task(notes.write(slow))
    if notes.is_sqlite:  # elsewhere it has no thread of its own to be slow in
        await asyncio.to_thread(begun.wait, 10)
        writing.cancel()
    go_on.set()
    await asyncio.wait([writing])
    assert writing.cancelled() == notes.is_sqlite
    async with notes.transaction() as transaction:
        assert await count(transaction) == 2


async def test_what_need_not_wait_for_the_disk_is_there_all_the_same(notes: Database, database_url: str) -> None:
    other = Database.open(database_url)
    try:
        async with notes.transaction(durable=False) as transaction:
            await write(transaction, "one")
        await other.write(lambda c: c.execute(text("INSERT INTO notes VALUES ('two')")), durable=False)
        async with notes.transaction() as transaction:
            assert await count(transaction) == 2
    finally:
        await other.close()


async def test_only_a_durable_transaction_waits_for_the_disk(tmp_path: Path) -> None:
    database = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")

    def waits(connection: Connection) -> bool:
        return bool(connection.execute(text("PRAGMA synchronous")).scalar_one() == 2)

    assert await database.write(waits)
    assert not await database.write(waits, durable=False)
    assert await database.write(waits)
    await database.close()


async def test_closing_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    database = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with database.reading() as reading:
        await reading.execute(text("SELECT 1"))
        async with database.transaction():
            assert threading.active_count() == before + 2
    await database.close()
    assert threading.active_count() == before


@pytest.mark.usefixtures("impatient")
async def test_a_database_locked_by_another_process_for_too_long_is_a_store_error(
    notes: Database, database_url: str
) -> None:
    other = Database.open(database_url)
    try:
        async with notes.transaction():
            with pytest.raises(StoreError, match="lock"):
                async with other.transaction():
                    pytest.fail("two writers at once")
        async with other.transaction() as transaction:
            await write(transaction, "now")
    finally:
        await other.close()


@pytest.mark.usefixtures("impatient")
async def test_a_writer_that_keeps_its_turn_for_too_long_is_a_store_error_for_the_next(notes: Database) -> None:
    async def second() -> None:
        async with notes.transaction():
            pytest.fail("two writers at once")

    async with notes.transaction():
        with pytest.raises(StoreError, match="busy"):
            await asyncio.create_task(second())


async def test_a_write_transaction_within_one_is_an_error_at_once_and_not_a_deadlock(notes: Database) -> None:
    with anyio.fail_after(2):
        async with notes.transaction() as transaction:
            with pytest.raises(StoreMisused, match="within a write transaction"):
                async with notes.transaction():
                    pytest.fail("opened")
            await write(transaction, "the first goes on")
    async with notes.writing(None) as transaction, notes.joined(transaction) as same:
        assert same is transaction
        async with notes.writing(transaction) as also:
            assert also is transaction


async def test_a_violated_constraint_reaches_the_store_that_declared_it(notes: Database) -> None:
    async def write_twice() -> None:
        async with notes.transaction() as transaction:
            await write(transaction, "once")
            await write(transaction, "once")

    with pytest.raises(ConstraintViolated):
        await write_twice()


async def test_a_wrong_statement_is_a_store_error_without_its_values(notes: Database) -> None:
    with pytest.raises(StoreError) as caught:
        async with notes.reading() as reading:
            await reading.execute(text("SELECT * FROM nowhere WHERE x = :secret"), {"secret": "hunter2"})
    assert "nowhere" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_an_error_of_the_body_is_not_taken_for_one_of_the_database(notes: Database) -> None:
    for error in (TimeoutError("slow"), FileNotFoundError("gone")):
        with pytest.raises(type(error)):
            async with notes.transaction():
                raise error


async def test_an_unreachable_server_is_a_store_error_that_hides_the_password() -> None:
    database = Database.open("postgresql+asyncpg://joe:hunter2@127.0.0.1:1/family")
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        async with database.reading():
            pytest.fail("connected")
    assert "hunter2" not in str(caught.value)
    await database.close()


async def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear Rose, " * 1000)
    database = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'letter.db'}")
    with pytest.raises(StoreError, match=r"not a database\. Put a backup in its place, or name another"):
        async with database.reading():
            pytest.fail("opened")
    await database.close()


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://127.0.0.1/x", "sqlite:///x.db", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"],
)
def test_a_url_of_another_kind_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        Database.open(url)

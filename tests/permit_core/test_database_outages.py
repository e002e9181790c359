"""What keeps the database from doing what it was asked is an outage: told, never hidden, and over by itself."""

import asyncio
import logging
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, create_engine, text

import permit_core.database
from permit_core import sqlite_place, sqlite_threads
from permit_core.database import ROOM_FOR_BOOKKEEPING, Database
from permit_core.database_errors import name_constraints
from permit_core.errors import ConstraintViolated, StoreError
from tests.support.databases import PostgresServer


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of the file is looked at as often as it is used."""
    monkeypatch.setattr(sqlite_place, "LOOK_AGAIN_SECONDS", 0)


@pytest.fixture
async def notes(database: Database) -> Database:
    async with database.transaction() as transaction:
        await transaction.execute(text("CREATE TABLE notes (body VARCHAR(20) PRIMARY KEY, about VARCHAR(20) NOT NULL)"))
    return database


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A database in a file, with a table."""
    path = tmp_path / "notes.db"
    database = Database.open(url_of(path))
    await database.write(lambda c: c.execute(text("CREATE TABLE notes (body TEXT PRIMARY KEY, about TEXT)")))
    await database.close()
    return path


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def put(database: Database, body: str, environment: str | None = None) -> None:
    """Write a note, statement by statement."""
    async with database.transaction(environment) as transaction:
        await transaction.execute(text("INSERT INTO notes VALUES (:body, 'x')"), {"body": body})


async def hand_over(database: Database, body: str) -> None:
    """Write a note, as one function."""
    await database.write(lambda c: c.execute(text("INSERT INTO notes VALUES (:body, 'x')"), {"body": body}))


async def read(database: Database) -> list[str]:
    return await database.read(lambda c: list(c.execute(text("SELECT body FROM notes ORDER BY body")).scalars()))


def in_file(path: Path) -> list[str]:
    """What anybody who opens the file now finds in it."""
    connection = sqlite3.connect(path)
    try:
        return [body for (body,) in connection.execute("SELECT body FROM notes ORDER BY body")]
    finally:
        connection.close()


# A commit that fails


@pytest.mark.parametrize("write", [put, hand_over])
async def test_after_a_commit_that_failed_the_next_write_works(
    file: Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    database = Database.open(url_of(file))
    await write(database, "before")
    commit, failed = sqlite_threads._Connection.commit, list[int]()

    def fail_once(connection: Any) -> None:
        if not failed:
            failed.append(1)
            raise sqlite3.OperationalError("disk I/O error")
        commit(connection)

    monkeypatch.setattr(sqlite_threads._Connection, "commit", fail_once, raising=False)
    with pytest.raises(StoreError, match="disk I/O error") as caught:
        await write(database, "lost")
    assert caught.value.outcome == "nothing"
    for body in ("second", "third"):
        await write(database, body)
    assert await read(database) == ["before", "second", "third"]
    await database.close()


async def test_a_connection_that_cannot_be_rolled_back_is_replaced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")

    def fail(_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(sqlite_threads._Connection, "commit", fail, raising=False)
        broken.setattr(sqlite_threads._Connection, "rollback", fail, raising=False)
        with pytest.raises(StoreError):
            await put(database, "lost")
        await anyio.lowlevel.checkpoint()
        with pytest.raises(StoreError):
            await hand_over(database, "lost")
    await put(database, "after")
    assert await read(database) == ["after", "before"]
    await database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB."""
    mount, place = shutil.which("mount"), tmp_path / "disk"
    place.mkdir()
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if mount is None or os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a disk of our own cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_disk_that_was_full_can_be_written_to_when_there_is_room(small_disk: Path) -> None:
    path = small_disk / "notes.db"
    database = Database.open(url_of(path))
    await database.write(lambda c: c.execute(text("CREATE TABLE notes (body TEXT PRIMARY KEY, about TEXT)")))

    async def put_much(body: str) -> None:
        async with database.transaction() as transaction:
            values = {"body": body, "about": "x" * 20_000}
            await transaction.execute(text("INSERT INTO notes VALUES (:body, :about)"), values)

    told: list[str] = []

    async def fill() -> None:
        for number in range(100):
            await put_much(f"{number:03}")
            told.append(f"{number:03}")

    with pytest.raises(StoreError, match="full") as caught:
        await fill()
    assert not caught.value.passing
    assert await read(database) == told
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    await database.check()
    await put_much("later")
    assert await read(database) == [*told, "later"]
    await database.close()


async def test_the_answer_to_a_commit_that_was_lost_is_said_to_be_unknown(postgres_server: PostgresServer) -> None:
    database = Database.open(postgres_server.new_database())
    await database.write(lambda c: c.execute(text("CREATE TABLE notes (body TEXT PRIMARY KEY, about TEXT)")))
    other = Database.open(database.engine.url.render_as_string(hide_password=False))

    async def lose() -> None:
        async with database.transaction() as transaction:
            await transaction.execute(text("INSERT INTO notes VALUES ('lost?', 'x')"))
            backend = (await transaction.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with other.reading() as killer:
                await killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})

    with pytest.raises(StoreError) as caught:
        await lose()
    assert caught.value.outcome == "unknown"
    assert "may or may not" in caught.value.message
    assert caught.value.as_dict()["outcome"] == "unknown"
    await put(database, "next")
    assert await read(database) == ["next"]
    for each in (database, other):
        await each.close()


# The file is not the one that was opened


async def test_nothing_is_confirmed_that_went_into_a_deleted_file(file: Path) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")
    for each in file.parent.glob("notes.db*"):
        each.unlink()
    for attempt in (put, hand_over):
        with pytest.raises(StoreError, match="the file is not there any more") as caught:
            await attempt(database, "lost")
        assert caught.value.outcome == "nothing"
        assert not caught.value.passing
    with pytest.raises(StoreError, match="not there"):
        await read(database)
    with pytest.raises(StoreError, match="not there"):
        await database.check()
    assert not file.exists()
    await database.close()


async def test_nothing_is_confirmed_that_went_into_a_file_that_was_replaced_and_the_new_one_is_taken(
    file: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(file, backup)
    database = Database.open(url_of(file))
    await put(database, "lost by who replaced it")
    kept = await move_away(file, tmp_path / "old")
    shutil.copy(backup, file)
    await put(database, "in the new one")
    assert in_file(file) == ["in the new one"]
    assert await read(database) == ["in the new one"]
    assert in_file(kept) == ["lost by who replaced it"]
    await database.close()


async def move_away(file: Path, folder: Path) -> Path:
    """Move a database that is in use, with its log, as somebody does who knows that it has one."""
    folder.mkdir(exist_ok=True)
    for each in file.parent.glob("notes.db*"):
        each.rename(folder / each.name)
    return folder / file.name


async def test_a_file_that_is_put_back_is_gone_on_with(file: Path, tmp_path: Path) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")
    kept = await move_away(file, tmp_path / "old")
    with pytest.raises(StoreError):
        await put(database, "refused")
    for each in kept.parent.iterdir():
        each.rename(file.parent / each.name)
    await put(database, "after")
    assert await read(database) == ["after", "before"] == in_file(file)
    await database.close()


async def test_a_backup_over_the_file_with_the_old_log_beside_it_is_refused_until_the_log_is_gone(
    file: Path, tmp_path: Path
) -> None:
    shutil.copy(file, tmp_path / "backup.db")
    database = Database.open(url_of(file))
    await put(database, "before")
    (tmp_path / "backup.db").rename(file)
    with pytest.raises(StoreError, match=r"delete .*notes\.db-wal and .*notes\.db-shm"):
        await put(database, "refused")
    with pytest.raises(StoreError, match="another file"):
        await read(database)
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink()
    await put(database, "after")
    assert in_file(file) == ["after"] == await read(database)
    await database.close()


@pytest.mark.parametrize("content", ["other tables", "no database", "nothing"])
async def test_a_file_that_is_not_the_like_of_the_old_one_is_not_gone_on_with(
    file: Path, tmp_path: Path, content: str
) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")
    kept = await move_away(file, tmp_path / "old")
    if content == "other tables":
        other = sqlite3.connect(file)
        other.execute("CREATE TABLE cats (name)")
        other.close()
    else:
        file.write_text("Dear Rose, " * 1000 if content == "no database" else "")
    with pytest.raises(StoreError, match=r"another file is in its place, .*put the right one there"):
        await put(database, "refused")
    for each in file.parent.glob("notes.db*"):
        each.unlink()
    for each in kept.parent.iterdir():
        each.rename(file.parent / each.name)
    await put(database, "after")
    assert in_file(file) == ["after", "before"]
    await database.close()


async def test_the_log_taken_away_from_beside_the_file_is_noticed(file: Path) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")
    Path(f"{file}-wal").unlink()
    with pytest.raises(StoreError, match="-wal was taken away"):
        await put(database, "refused")
    await database.close()


async def test_a_file_replaced_during_a_transaction_does_not_get_half_of_it(file: Path, tmp_path: Path) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")

    async def move_within() -> None:
        async with database.transaction() as transaction:
            await transaction.execute(text("INSERT INTO notes VALUES ('refused', 'x')"))
            await move_away(file, tmp_path / "old")

    with pytest.raises(StoreError, match="not there") as caught:
        await move_within()
    assert caught.value.outcome == "nothing"
    await database.close()
    assert in_file(tmp_path / "old" / file.name) == ["before"]


async def test_a_commit_into_a_file_that_moved_at_that_moment_is_said_to_be_unknown(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")
    commit = sqlite_threads._Connection.commit

    def commit_and_move(connection: Any) -> None:
        commit(connection)
        file.rename(tmp_path / "elsewhere.db")

    with monkeypatch.context() as moving:
        moving.setattr(sqlite_threads._Connection, "commit", commit_and_move, raising=False)
        with pytest.raises(StoreError) as caught:
            await hand_over(database, "unknown")
    assert caught.value.outcome == "unknown"
    await database.close()


async def test_what_is_looked_up_from_the_event_loop_is_not_looked_up_in_a_deleted_file(file: Path) -> None:
    database = Database.open(url_of(file))
    await put(database, "one")
    await database.open_peek()
    assert database.peek("SELECT body FROM notes") == ("one",)
    for each in file.parent.glob("notes.db*"):
        each.unlink()
    assert database.peek("SELECT body FROM notes") is None
    await database.close()


async def test_another_process_that_uses_the_new_file_loses_nothing_when_the_old_one_is_closed(
    file: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(file, backup)
    database = Database.open(url_of(file))
    await put(database, "old")
    await move_away(file, tmp_path / "old")
    shutil.copy(backup, file)
    other = Database.open(url_of(file))
    await put(other, "by another process")
    await put(database, "by this one")
    await put(other, "again")
    assert await read(database) == ["again", "by another process", "by this one"]
    await database.close()
    await other.close()
    assert in_file(file) == ["again", "by another process", "by this one"]


async def test_a_process_that_does_not_make_databases_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "notes.db"
    database = Database.open(url_of(path), create=False)
    with pytest.raises(StoreError, match="the file is not there"):
        await read(database)
    assert not path.parent.exists()
    await database.close()


@pytest.mark.parametrize(
    ("name", "why"), [("gone/notes.db", "the folder .*gone is not there"), ("folder", "folder is a folder")]
)
async def test_a_place_that_cannot_be_opened_says_why(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    database = Database.open(url_of(tmp_path / name))
    if name.startswith("gone"):
        (tmp_path / "gone").rmdir()
    with pytest.raises(StoreError, match=why):
        await database.check()
    await database.close()


# How it is told


async def test_an_outage_is_one_line_in_the_log_and_its_end_another(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.open(url_of(file))
    await put(database, "before")
    with caplog.at_level(logging.WARNING, "permit_core.database"):
        kept = await move_away(file, tmp_path / "old")
        for _ in range(20):
            with pytest.raises(StoreError):
                await put(database, "refused")
        for each in kept.parent.iterdir():
            each.rename(file.parent / each.name)
        await put(database, "after")
        await put(database, "later")
    first, last = (record.getMessage() for record in caplog.records)
    assert "not there any more" in first
    assert "works again after" in last
    assert "20 refused" in last
    assert not any(record.exc_info for record in caplog.records)
    await database.close()


async def test_reading_does_not_end_an_outage_of_writing(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.open(url_of(file))

    def full(_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as disk, caplog.at_level(logging.WARNING, "permit_core.database"):
        disk.setattr(sqlite_threads._Connection, "commit", full, raising=False)
        for _ in range(3):
            with pytest.raises(StoreError):
                await database.check()
            assert await read(database) == []
    assert len(caplog.records) == 1
    await database.check()
    await database.close()


def test_users_are_told_what_did_not_happen_and_nothing_of_the_inside() -> None:
    passing, lasting = StoreError("/var/x.db failed: locked"), StoreError("/var/x.db failed: full", passing=False)
    for error in (passing, lasting):
        assert error.code == "store_unavailable"
        assert "nothing was done" in error.message
        assert "/var" not in f"{error.message} {error.hint} {error.as_dict()}"
        assert error.retry_after > 0
    assert "Try again in" in passing.hint
    assert "whoever runs this" in lasting.hint
    assert str(lasting) == "/var/x.db failed: full"


# Constraints


@pytest.mark.parametrize(
    ("statement", "kind", "named"),
    [
        ("INSERT INTO notes VALUES ('once', 'x')", "unique", {"notes.body", "notes_pkey"}),
        ("INSERT INTO notes (body) VALUES ('no about')", "not_null", {"notes.about"}),
        ("INSERT INTO parts VALUES ('missing', 1)", "foreign_key", {"", "fk_part"}),
        ("INSERT INTO parts VALUES ('once', -1)", "check", {"ck_price"}),
    ],
)
async def test_a_violated_constraint_is_named_where_it_happens_and_outside(
    notes: Database, statement: str, kind: str, named: set[str]
) -> None:
    async with notes.transaction() as transaction:
        await transaction.execute(text("INSERT INTO notes VALUES ('once', 'x')"))
        await transaction.execute(
            text(
                "CREATE TABLE parts (note VARCHAR(20), price INTEGER, CONSTRAINT ck_price CHECK (price >= 0), "
                "CONSTRAINT fk_part FOREIGN KEY (note) REFERENCES notes (body))"
            )
        )

    async def violate() -> None:
        async with notes.transaction() as transaction:
            with pytest.raises(ConstraintViolated) as inside:
                await transaction.execute(text(statement))
            raise inside.value

    with pytest.raises(ConstraintViolated) as outside:
        await violate()
    with pytest.raises(ConstraintViolated) as handed_over:
        await notes.write(lambda c: c.execute(text(statement)))
    for caught in (outside.value, handed_over.value):
        assert caught.kind == kind
        assert caught.constraint in named


def test_an_engine_at_the_address_of_one_that_is_gone_names_its_constraints_too() -> None:
    kept = []
    for _ in range(50):
        engine = create_engine("sqlite://")
        name_constraints(engine)
        with engine.connect() as connection:
            connection.execute(text("CREATE TABLE notes (body VARCHAR(20) NOT NULL)"))
            with pytest.raises(ConstraintViolated):
                connection.execute(text("INSERT INTO notes VALUES (NULL)"))
        kept.append(engine.dialect.dispatch)  # outlives its engine, as it may
        engine.dispose()


# Too many writers


async def test_beyond_the_room_a_writer_is_refused_at_once_and_those_inside_are_served(notes: Database) -> None:
    go_on = asyncio.Event()

    async def hold() -> None:
        async with notes.transaction("one"):
            await go_on.wait()

    holding = asyncio.create_task(hold())
    await anyio.wait_all_tasks_blocked()
    waiting = [asyncio.create_task(put(notes, str(number), "one")) for number in range(3)]
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(5):
        with pytest.raises(StoreError, match="3 writers wait already") as caught:
            async with notes.transaction("one", room=3):
                pytest.fail("let in")
        with pytest.raises(StoreError):
            await notes.write(lambda c: None, environment="one", room=2)
    assert caught.value.passing
    go_on.set()
    await asyncio.gather(holding, *waiting)
    assert await read(notes) == ["0", "1", "2"]
    async with notes.transaction("one", room=0) as transaction:  # where nobody waits there is room
        assert transaction.dialect is not None


async def test_what_can_be_left_undone_is_refused_before_work_is(notes: Database) -> None:
    assert ROOM_FOR_BOOKKEEPING < permit_core.database.ROOM_FOR_NEWCOMERS < permit_core.database.ROOM_FOR_WORK
    go_on = asyncio.Event()

    async def hold() -> None:
        async with notes.transaction("one"):
            await go_on.wait()

    holding = asyncio.create_task(hold())
    await anyio.wait_all_tasks_blocked()
    waiting = [asyncio.create_task(put(notes, str(number), "one")) for number in range(ROOM_FOR_BOOKKEEPING)]
    await anyio.wait_all_tasks_blocked()
    with pytest.raises(StoreError):
        async with notes.transaction("one", room=ROOM_FOR_BOOKKEEPING):
            pytest.fail("let in")
    waiting.append(asyncio.create_task(put(notes, "work", "one")))
    await anyio.wait_all_tasks_blocked()
    go_on.set()
    await asyncio.gather(holding, *waiting)
    assert len(await read(notes)) == ROOM_FOR_BOOKKEEPING + 1


# Environments


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> Any:
    opened = Database.open(postgres_server.new_database())
    await opened.write(lambda c: c.execute(text("CREATE TABLE notes (body TEXT PRIMARY KEY, about TEXT)")))
    yield opened
    await opened.close()


@pytest.mark.parametrize("processes", [1, 2])
async def test_on_postgresql_two_environments_write_at_the_same_time(
    postgres: Database, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(permit_core.database, "BUSY_TIMEOUT_MS", 2000)
    url = postgres.engine.url.render_as_string(hide_password=False)
    other = postgres if processes == 1 else Database.open(url)
    both = asyncio.Barrier(2)

    async def add(database: Database, environment: str) -> None:
        async with database.transaction(environment) as transaction:
            await transaction.execute(text("INSERT INTO notes VALUES (:body, 'x')"), {"body": environment})
            await both.wait()  # each is in its transaction when the other is

    with anyio.fail_after(20):
        await asyncio.gather(add(postgres, "one"), add(other, "two"))
    assert await read(postgres) == ["one", "two"]
    if other is not postgres:
        await other.close()


async def test_writers_of_one_environment_take_turns_and_one_of_the_whole_database_waits_for_all(
    notes: Database, database_url: str
) -> None:
    other = Database.open(database_url)

    def count(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM notes")).scalar_one())

    async def add_one(database: Database, environment: str | None) -> None:
        async with database.transaction(environment) as transaction:
            seen = await transaction.run_sync(count)
            await asyncio.sleep(0)
            values = {"body": str(seen)}  # would be a duplicate if two had seen the same
            await transaction.execute(text("INSERT INTO notes VALUES (:body, 'x')"), values)

    with anyio.fail_after(30):
        await asyncio.gather(*(add_one(database, who) for database in [notes, other] * 5 for who in ("one", None)))
    assert await notes.read(count) == 20
    await other.close()


@pytest.mark.parametrize("environment", [None, "one"])
async def test_one_who_writes_the_whole_database_keeps_the_others_out(
    notes: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    monkeypatch.setattr(permit_core.database, "BUSY_TIMEOUT_MS", 100)
    other = Database.open(database_url)
    async with notes.transaction(environment):
        with pytest.raises(StoreError, match="lock"):
            async with other.transaction("one" if environment is None else None):
                pytest.fail("two writers at once")
    await other.close()


async def test_a_place_that_cannot_be_written_says_so(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    database = Database.open(url_of(small_disk / "notes.db"))
    with pytest.raises(StoreError, match=rf"may not make files in {small_disk}"):
        await database.check()
    await database.close()


async def test_a_server_that_is_away_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    database = Database.open("postgresql+asyncpg://joe:hunter2@127.0.0.1:1/family")
    with caplog.at_level(logging.WARNING, "permit_core.database"):
        for _ in range(5):
            with pytest.raises(StoreError, match="cannot be reached") as caught:
                await read(database)
            assert caught.value.passing
    (line,) = caplog.records
    assert "hunter2" not in line.getMessage()
    await database.close()

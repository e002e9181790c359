"""The one door to the database: SQLite (aiosqlite) and PostgreSQL (asyncpg) behave alike behind it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from permit_core import sqlite_driver
from permit_core.errors import ConfigurationError, StoreError

T = TypeVar("T")

Transaction = AsyncConnection
"""An open transaction. Statements run on it; whoever opened it commits."""

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_SECONDS = 10
POOLED = 15
"""Connections to an SQLite file, at most; as many as are needed at one moment are opened, and stay open."""
WRITE_LOCK = 7_766_001  # any constant: the key of PostgreSQL's advisory lock that makes writers take turns


class Database:
    """An engine, and how transactions are opened on it.

    Writers take turns, on SQLite by ``BEGIN IMMEDIATE`` and on PostgreSQL by an advisory lock: a decision and the
    effect it allows see the same facts, and the audit chain has one end. Within one process they queue in order
    before they ask the database.

    What the driver raises leaves :meth:`transaction` and :meth:`reading` as :class:`StoreError`, except a violated
    constraint (``sqlalchemy.exc.IntegrityError``), to which only the store that declared it can give a meaning.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[Any] | None = None

    @classmethod
    def open(cls, url: str) -> Database:
        """Make an engine for ``sqlite+aiosqlite:///path`` or ``postgresql+asyncpg://...``; connects on first use.

        Raises:
            ConfigurationError: the URL cannot be read or names another kind of database.
        """
        try:
            parsed = make_url(url)
        except (SQLAlchemyError, ValueError) as error:
            raise ConfigurationError(
                "DATABASE_URL cannot be read; expected sqlite+aiosqlite:///FILE "
                "or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"
            ) from error
        if parsed.drivername == "sqlite+aiosqlite":
            return cls(_sqlite_engine(parsed))
        if parsed.drivername == "postgresql+asyncpg":
            return cls(_postgresql_engine(parsed))
        raise ConfigurationError(
            f"DATABASE_URL names {parsed.drivername}; expected sqlite+aiosqlite or postgresql+asyncpg"
        )

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite, False on PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @property
    def location(self) -> str:
        """Where the data is, for people; without the password."""
        url = self.engine.url
        if self.is_sqlite:
            return str(url.database)
        return url.difference_update_query(["password"]).render_as_string(hide_password=True)

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        """A write transaction: commits when the body ends, rolls back when it raises.

        Args:
            durable: False does not wait for the disk (on SQLite): what was committed outlives this process, however
                it ends, and a power cut may take the last of it, never the middle. The next durable commit makes it
                durable too.

        Raises:
            StoreError: the database is unreachable, or locked for longer than ``BUSY_TIMEOUT_MS``; or this task has a
                write transaction open already and would wait for itself.
        """
        await self._take_turn()
        try:
            self._writer = asyncio.current_task()
            async with self._connected() as connection:
                if self.is_sqlite:
                    _driver(connection).writes, _driver(connection).durable = True, durable
                async with connection.begin():
                    if not self.is_sqlite:
                        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
                    yield connection
        finally:
            self._writer = None
            self._turn.release()

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """A whole write transaction in one trip to the database's thread, where there is one.

        Args:
            work: takes SQLAlchemy's synchronous connection, executes statements on it, and keeps nothing of it. It
                runs in another thread on SQLite, in this one on PostgreSQL. When it raises, nothing was written.
            durable: as of :meth:`transaction`.

        Raises:
            StoreError: as of :meth:`transaction`.
        """
        if not self.is_sqlite:
            async with self.transaction(durable=durable) as transaction:
                return await transaction.run_sync(work)
        await self._take_turn()
        try:
            async with self._connected() as connection:
                driver, sync = _driver(connection), cast("Connection", connection.sync_connection)
                driver.writes, driver.durable = True, durable

                def whole() -> T:
                    with sync.begin():
                        return work(sync)

                return await driver.at_once(whole)
        finally:
            self._turn.release()

    async def _take_turn(self) -> None:
        if self._writer is not None and self._writer is asyncio.current_task():
            raise StoreError("a write transaction was opened within a write transaction: hand the open one on")
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
                await self._turn.acquire()
        except TimeoutError:
            raise StoreError(f"the database is busy: {self.location}") from None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A read-only transaction over one state of the data; never waits for writers.

        Raises:
            StoreError: the database is unreachable.
        """
        async with self._connected() as connection:
            if self.is_sqlite:
                _driver(connection).writes = False
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection

    async def read(self, work: Callable[[Connection], T]) -> T:
        """A whole read-only transaction in one trip to the database's thread, where there is one.

        Args:
            work: as of :meth:`write`, but it only reads.

        Raises:
            StoreError: the database is unreachable.
        """
        async with self.reading() as transaction:
            if not self.is_sqlite:
                return await transaction.run_sync(work)
            sync = cast("Connection", transaction.sync_connection)
            return await _driver(transaction).at_once(lambda: work(sync))

    @asynccontextmanager
    async def joined(self, transaction: Transaction | None) -> AsyncIterator[Transaction]:
        """The given transaction, or a reading one of its own when None."""
        if transaction is not None:
            yield transaction
            return
        async with self.reading() as own:
            yield own

    @asynccontextmanager
    async def writing(self, transaction: Transaction | None) -> AsyncIterator[Transaction]:
        """The given write transaction, or one of its own when None."""
        if transaction is not None:
            yield transaction
            return
        async with self.transaction() as own:
            yield own

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """A connection of the pool, on which the driver's errors become :class:`StoreError`."""
        opened = False
        try:
            async with self.engine.connect() as connection:
                opened = True
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise StoreError(f"the database {self.location} failed: {_first_line(error)}") from error
        except OSError as error:
            if opened:  # not the database's but the body's own: a file, a time limit
                raise
            raise StoreError(f"the database {self.location} cannot be reached: {_first_line(error)}") from error

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _driver(connection: AsyncConnection) -> sqlite_driver.SqliteConnection:
    """The driver's own connection; there is one as long as this one is open."""
    driver: Any = cast("Connection", connection.sync_connection).connection.dbapi_connection
    return cast("sqlite_driver.SqliteConnection", driver)


def _sqlite_engine(url: URL) -> AsyncEngine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "DATABASE_URL names an SQLite database in memory, which cannot be shared between processes; name a file"
        )
    file = Path(url.database)
    file.parent.mkdir(parents=True, exist_ok=True)
    # No more connections than these, and none is closed while the engine is open: opening one costs a millisecond.
    engine = create_async_engine(
        url.set(drivername=sqlite_driver.NAME), pool_size=POOLED, max_overflow=0, pool_use_lifo=True
    )
    if not url.database.startswith("file:"):
        event.listen(engine.sync_engine, "do_connect", lambda *_: _make_for_owner(file))
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _make_for_owner(file: Path) -> None:
    """Make a new file one that its owner alone can read: it holds conversations and the hashes of passwords.

    SQLite gives the files beside it the same permissions. A file that is there keeps what somebody gave it.
    """
    if not file.exists():
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _postgresql_engine(url: URL) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "server_settings": {
                "lock_timeout": str(BUSY_TIMEOUT_MS),
                "timezone": "UTC",
                # A writer that waited for its turn must see what the one before it committed.
                "default_transaction_isolation": "read committed",
            },
        },
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    def prepare(raw: sqlite3.Connection) -> None:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        _use_wal(raw)
        raw.execute("PRAGMA foreign_keys = ON")

    connection.do(prepare)


def _use_wal(raw: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; the file remembers it, so only the first connection ever really does.

    SQLite does not wait here by itself when two processes create the same file at one moment.
    """
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)  # in the connection's own thread
        else:
            return


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

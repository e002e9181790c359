"""The one door to the database: SQLite (aiosqlite) and PostgreSQL (asyncpg) behave alike behind it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from permit_core.errors import ConfigurationError, StoreError
from permit_core.sqlite_threads import SqliteThreads, SqliteTransaction, commit, rollback, settled, sqlite_engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_SECONDS = 10
WRITE_LOCK = 7_766_001  # any constant: the key of PostgreSQL's advisory lock that makes writers take turns


class Transaction(Protocol):
    """An open transaction. Statements run on it; whoever opened it commits."""

    @property
    def dialect(self) -> Dialect:
        """Which database it is."""
        ...

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        """Run a statement, once or for each of several sets of parameters."""
        ...

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[Any]:
        """Run a statement in the database's own words."""
        ...

    async def run_sync(self, function: Callable[..., T], /, *arguments: Any) -> T:
        """Run a function with SQLAlchemy's synchronous connection, of which it keeps nothing."""
        ...


class Database:
    """An engine, and how transactions are opened on it.

    Writers take turns, on SQLite by ``BEGIN IMMEDIATE`` and on PostgreSQL by an advisory lock: a decision and the
    effect it allows see the same facts, and the audit chain has one end. Within one process they queue in order
    before they ask the database.

    What the driver raises leaves :meth:`transaction` and :meth:`reading` as :class:`StoreError`, except a violated
    constraint (``sqlalchemy.exc.IntegrityError``), to which only the store that declared it can give a meaning.

    Args:
        engine: a synchronous one of SQLite, whose connections get threads of their own, or one of PostgreSQL.
    """

    def __init__(self, engine: Engine | AsyncEngine) -> None:
        self.engine = engine
        self._threads = SqliteThreads(engine) if isinstance(engine, Engine) else None
        self._turn = asyncio.Lock()
        self._queued = 0  # writers that wait for it
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
            with self._as_store_errors():
                async with self._writing_on(durable) as transaction:
                    yield transaction
        finally:
            self._writer = None
            self._turn.release()

    @asynccontextmanager
    async def _writing_on(self, durable: bool) -> AsyncIterator[Transaction]:
        if self._threads is None:
            async with self._connected() as connection, connection.begin():
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
                yield connection
            return
        thread = await self._threads.writer()
        transaction = SqliteTransaction(thread, self.engine.dialect)
        try:
            await transaction.begin(durable=durable)
            yield transaction
            await transaction.commit()
        finally:
            transaction.end()

    async def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """A whole write transaction in one trip to the database's thread, where there is one.

        Args:
            work: takes SQLAlchemy's synchronous connection, executes statements on it, and keeps nothing of it. It
                runs in another thread on SQLite, in this one on PostgreSQL. When it raises, nothing was written.
            durable: as of :meth:`transaction`.

        Raises:
            StoreError: as of :meth:`transaction`.
        """
        if self._threads is None:
            async with self.transaction(durable=durable) as transaction:
                return await transaction.run_sync(work)
        await self._take_turn()
        try:
            with self._as_store_errors():
                thread = await self._threads.writer()

                def whole(connection: Connection) -> T:
                    thread.begin(connection, durable=durable)
                    try:
                        done = work(connection)
                        commit(connection)
                    finally:
                        rollback(connection)  # nothing, after the commit
                    return done

                return await settled(thread.do(whole))
        finally:
            self._turn.release()

    async def _take_turn(self) -> None:
        if self._writer is not None and self._writer is asyncio.current_task():
            raise StoreError("a write transaction was opened within a write transaction: hand the open one on")
        if not self._queued and not self._turn.locked():
            await self._turn.acquire()  # at once
            return
        self._queued += 1
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
                await self._turn.acquire()
        except TimeoutError:
            raise StoreError(f"the database is busy: {self.location}") from None
        finally:
            self._queued -= 1

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A read-only transaction over one state of the data; never waits for writers.

        Raises:
            StoreError: the database is unreachable.
        """
        with self._as_store_errors():
            if self._threads is None:
                async with self._connected() as connection:
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                    async with connection.begin():
                        yield connection
                return
            async with self._threads.reader() as thread:
                transaction = SqliteTransaction(thread, self.engine.dialect)
                try:
                    yield transaction
                finally:
                    transaction.end()

    async def read(self, work: Callable[[Connection], T], transaction: Transaction | None = None) -> T:
        """A whole read-only transaction in one trip to the database's thread, where there is one.

        Args:
            work: as of :meth:`write`, but it only reads.
            transaction: an open one to read in, instead of one of its own.

        Raises:
            StoreError: the database is unreachable.
        """
        if transaction is not None:
            return await transaction.run_sync(work)
        if self._threads is None:
            async with self.reading() as own:
                return await own.run_sync(work)
        with self._as_store_errors():
            async with self._threads.reader() as thread:

                def whole(connection: Connection) -> T:
                    thread.begin(connection, durable=True)
                    try:
                        return work(connection)
                    finally:
                        rollback(connection)

                return await thread.do(whole)

    def glance(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The only row of a query, in SQLite's own words, as it is committed at this moment.

        Never waits, so it is for a row that is found at once. None when that cannot be said: before
        :meth:`open_glance`, always on PostgreSQL, and whenever something is in the way; then read.
        """
        return None if self._threads is None else self._threads.glance.row(sql, parameters)

    async def open_glance(self) -> None:
        """Prepare for :meth:`glance`, where it can be.

        Raises:
            StoreError: the database is unreachable.
        """
        if self._threads is not None and not self._threads.glance.is_open:
            with self._as_store_errors():
                await self._threads.open_glance()

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
        """A connection to PostgreSQL."""
        try:
            connection = await cast("AsyncEngine", self.engine).connect()
        except OSError as error:
            raise StoreError(f"the database {self.location} cannot be reached: {_first_line(error)}") from error
        try:
            yield connection
        finally:
            await connection.close()

    @contextmanager
    def _as_store_errors(self) -> Iterator[None]:
        """What the driver raises becomes :class:`StoreError`."""
        try:
            yield
        except IntegrityError:
            raise
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(f"the database {self.location} failed: {_first_line(error)}") from error

    async def close(self) -> None:
        """Close every connection. They are opened again when somebody asks for them."""
        if self._threads is not None:
            await self._threads.close()
        else:
            await cast("AsyncEngine", self.engine).dispose()


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "DATABASE_URL names an SQLite database in memory, which cannot be shared between processes; name a file"
        )
    file = Path(url.database)
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite_engine(url)
    if not url.database.startswith("file:"):
        event.listen(engine, "do_connect", lambda *_: _make_for_owner(file))
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_for_owner(file: Path) -> None:
    """Make a new file one that its owner alone can read: it holds conversations and the hashes of passwords.

    SQLite gives the files beside it the same permissions. A file that is there keeps what somebody gave it.
    """
    if not file.exists():
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _postgresql_engine(url: URL) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import create_async_engine  # seven MiB, of which SQLite has no use

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


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _use_wal(raw)
    raw.execute("PRAGMA foreign_keys = ON")


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

"""The one door to the database: SQLite (aiosqlite) and PostgreSQL (asyncpg) behave alike behind it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from permit_core.database_errors import Crowded, commit_lost, first_line, name_constraints, store_error
from permit_core.errors import ConfigurationError, StoreError, StoreMisused
from permit_core.sqlite_place import obstacle
from permit_core.sqlite_threads import SqliteThreads, SqliteTransaction, settled, sqlite_engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

logger = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_SECONDS = 10
WRITE_LOCK = 7_766_001  # any constant: the first key of the advisory locks by which PostgreSQL's writers take turns
WHOLE_DATABASE = 0  # the second key of the lock that writers of every environment share

ROOM_FOR_WORK = 256
"""So many writers may wait already before the next one of those inside is refused at once."""
ROOM_FOR_NEWCOMERS = 32
"""The same for what begins something, such as a session or a log-in: those inside come first."""
ROOM_FOR_BOOKKEEPING = 8
"""The same for what can be left undone; whoever writes it goes on when it is refused."""

QUIET_SECONDS = 60.0
"""An outage that begins again this soon is not logged again."""


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

    Writers of one environment take turns: a decision and the effect it allows see the same facts, and the audit chain has
    one end. On SQLite all writers take turns, by ``BEGIN IMMEDIATE``; on PostgreSQL, by advisory locks, those of different
    environments do not wait for each other. Within one process they queue in order before they ask the database.

    What a driver raises is raised as :class:`StoreError`, and a violated constraint as :class:`ConstraintViolated`,
    within the body of a transaction as outside of it. An outage is logged in one line when it begins and in one when it is
    over.

    Args:
        engine: a synchronous one of SQLite, whose connections get threads of their own, or one of PostgreSQL.
        file: SQLite's file, where the engine is led to another than its URL names.
    """

    def __init__(self, engine: Engine | AsyncEngine, file: str | None = None) -> None:
        self.engine = engine
        sync = engine if isinstance(engine, Engine) else engine.sync_engine
        name_constraints(sync)
        self._file: str | None = None
        self._threads: SqliteThreads | None = None
        if isinstance(engine, Engine):
            name = file or str(engine.url.database)
            self._file = None if name.startswith("file:") else name
            self._threads = SqliteThreads(engine, self._file)
        self._turns: dict[str | None, _Turn] = {}
        self._writers: set[asyncio.Task[Any] | None] = set()
        self._reads, self._writes = _Outage(), _Outage()

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Database:
        """Make an engine for ``sqlite+aiosqlite:///path`` or ``postgresql+asyncpg://...``; connects on first use.

        Args:
            url: which database.
            create: whether an SQLite file that is not there is made. A process that relies on another having made it
                passes False: an empty one would only hide that it is gone.

        Raises:
            ConfigurationError: the URL cannot be read, names another kind of database, or its driver is not installed.
        """
        try:
            parsed = make_url(url)
        except (SQLAlchemyError, ValueError) as error:
            raise ConfigurationError(
                "DATABASE_URL cannot be read; expected sqlite+aiosqlite:///FILE "
                "or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"
            ) from error
        if parsed.drivername == "sqlite+aiosqlite":
            return cls(_sqlite_engine(parsed, create=create))
        if parsed.drivername == "postgresql+asyncpg":
            try:
                return cls(_postgresql_engine(parsed))
            except ModuleNotFoundError as error:
                raise ConfigurationError(
                    f"DATABASE_URL needs {error.name}, which is not installed: install permit-mcp[postgres]"
                ) from error
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
    async def transaction(
        self, environment: str | None = None, *, durable: bool = True, room: int = ROOM_FOR_WORK
    ) -> AsyncIterator[Transaction]:
        """A write transaction: commits when the body ends, rolls back when it raises.

        Args:
            environment: whose rows are written; None for the whole database, which waits for every environment.
            durable: False does not wait for the disk (on SQLite): what was committed outlives this process, however
                it ends, and a power cut may take the last of it, never the middle. The next durable commit makes it
                durable too.
            room: refuse at once when so many writers wait already.

        Raises:
            StoreError: the database cannot be used, or is locked for longer than ``BUSY_TIMEOUT_MS``, or too many wait.
                Nothing was written, unless ``outcome`` says that this is unknown.
            StoreMisused: this task has a write transaction open already and would wait for itself.
        """
        turn, task = await self._take_turn(environment, room), asyncio.current_task()
        self._writers.add(task)
        try:
            with self._as_store_errors(self._writes):
                async with self._writing_on(environment, durable) as transaction:
                    yield transaction
        finally:
            self._writers.discard(task)
            self._give_back(turn)

    @asynccontextmanager
    async def _writing_on(self, environment: str | None, durable: bool) -> AsyncIterator[Transaction]:
        if self._threads is not None:
            thread = await self._threads.writer()
            transaction = SqliteTransaction(thread, self.engine.dialect)
            try:
                await transaction.begin(durable=durable)
                yield transaction
                await transaction.commit()
            finally:
                transaction.end()
            return
        async with self._connected() as connection:
            begun = await connection.begin()
            try:
                await connection.execute(*_lock(environment))
                yield connection
            except BaseException:
                with suppress(SQLAlchemyError):  # a connection that was lost has nothing open
                    await begun.rollback()
                raise
            try:
                await begun.commit()
            except SQLAlchemyError as error:
                if not commit_lost(error):
                    raise
                cause = f"the answer of {self.location} to a commit was lost: {first_line(error)}"
                raise StoreError(cause, outcome="unknown") from error

    async def write(
        self,
        work: Callable[[Connection], T],
        *,
        environment: str | None = None,
        durable: bool = True,
        room: int = ROOM_FOR_WORK,
    ) -> T:
        """A whole write transaction in one trip to the database's thread, where there is one.

        Args:
            work: takes SQLAlchemy's synchronous connection, executes statements on it, and keeps nothing of it. It
                runs in another thread on SQLite, in this one on PostgreSQL. When it raises, nothing was written.
            environment: as of :meth:`transaction`.
            durable: as of :meth:`transaction`.
            room: as of :meth:`transaction`.

        Raises:
            StoreError, StoreMisused: as of :meth:`transaction`.
        """
        if self._threads is None:
            async with self.transaction(environment, durable=durable, room=room) as transaction:
                return await transaction.run_sync(work)
        turn = await self._take_turn(environment, room)
        try:
            with self._as_store_errors(self._writes):
                thread = await self._threads.writer()

                def whole(connection: Connection) -> T:
                    try:
                        thread.begin(connection, durable=durable)
                        done = work(connection)
                        thread.commit(connection)
                    except BaseException:
                        thread.leave(connection)
                        raise
                    return done

                return await settled(thread.do(whole))
        finally:
            self._give_back(turn)

    async def restructure(self, work: Callable[[Connection], T]) -> T:
        """A whole write transaction over the whole database in which tables can be made anew.

        SQLite does not hold foreign keys while it runs; all of them are checked before it ends.

        Args:
            work: as of :meth:`write`.

        Raises:
            StoreError: as of :meth:`transaction`; or a foreign key would not hold. Nothing was written.
        """
        if self._threads is None:
            async with self.transaction() as transaction:
                return await transaction.run_sync(work)
        turn = await self._take_turn(None, ROOM_FOR_WORK)
        try:
            with self._as_store_errors(self._writes):
                thread = await self._threads.writer()

                def whole(connection: Connection) -> T:
                    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
                    connection.rollback()  # SQLAlchemy's notion of a transaction, in which SQLite was not
                    try:
                        thread.begin(connection, durable=True)
                        done = work(connection)
                        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                            raise StoreError(f"the tables of {self.location} would not fit each other")
                        thread.commit(connection)
                    finally:
                        thread.leave(connection)
                        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                        connection.rollback()
                    return done

                return await settled(thread.do(whole))
        finally:
            self._give_back(turn)

    async def _take_turn(self, environment: str | None, room: int) -> _Turn:
        """Wait for this process's turn to write; whoever takes it gives it back."""
        if self._writers and asyncio.current_task() in self._writers:
            raise StoreMisused("a write transaction was opened within a write transaction: hand the open one on")
        key = None if self._threads is not None else environment
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = _Turn(key)
        try:
            await turn.take(room)
        except Crowded as error:
            raise self._failed(error, self._writes) from error
        return turn

    def _give_back(self, turn: _Turn) -> None:
        if turn.give_back():
            self._turns.pop(turn.key, None)

    async def check(self) -> None:
        """Make sure that data can be read, and durably written, now and in the place that the URL names.

        Raises:
            StoreError: it cannot, or so many write that nobody new should come.
        """

        def touch(connection: Connection) -> None:
            if connection.dialect.name == "sqlite":
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")  # writes the page it is in
            else:
                connection.exec_driver_sql("SELECT pg_current_xact_id()")  # which has the commit written

        await self.write(touch, environment="", room=ROOM_FOR_NEWCOMERS)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A read-only transaction over one state of the data; never waits for writers.

        Raises:
            StoreError: the database is unreachable.
        """
        with self._as_store_errors(self._reads):
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
        with self._as_store_errors(self._reads):
            async with self._threads.reader() as thread:

                def whole(connection: Connection) -> T:
                    try:
                        thread.begin(connection, durable=True)
                        return work(connection)
                    finally:
                        thread.leave(connection)

                return await thread.do(whole)

    def peek(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The only row of a query, in SQLite's own words, as it is committed at this moment.

        Never waits, so it is for a row that is found at once. None when that cannot be said: before
        :meth:`open_peek`, always on PostgreSQL, and whenever something is in the way; then read.
        """
        return None if self._threads is None else self._threads.peek.row(sql, parameters)

    async def open_peek(self) -> None:
        """Prepare for :meth:`peek`, where it can be.

        Raises:
            StoreError: the database is unreachable.
        """
        if self._threads is not None and not self._threads.peek.is_open:
            with self._as_store_errors(self._reads):
                await self._threads.open_peek()

    @asynccontextmanager
    async def joined(self, transaction: Transaction | None) -> AsyncIterator[Transaction]:
        """The given transaction, or a reading one of its own when None."""
        if transaction is not None:
            yield transaction
            return
        async with self.reading() as own:
            yield own

    @asynccontextmanager
    async def writing(
        self, transaction: Transaction | None, environment: str | None = None
    ) -> AsyncIterator[Transaction]:
        """The given write transaction, or one of its own when None."""
        if transaction is not None:
            yield transaction
            return
        async with self.transaction(environment) as own:
            yield own

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """A connection to PostgreSQL."""
        from asyncpg import InterfaceError, PostgresError  # type: ignore[import-untyped]

        try:
            connection = await cast("AsyncEngine", self.engine).connect()
        except (OSError, PostgresError, InterfaceError) as error:
            cause = f"the database {self.location} cannot be reached: {first_line(error)}"
            raise StoreError(cause) from error
        try:
            yield connection
        finally:
            await connection.close()

    @contextmanager
    def _as_store_errors(self, outage: _Outage) -> Iterator[None]:
        """What the driver raises becomes :class:`StoreError`; the first of an outage is logged."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._failed(error, outage) from error
        except StoreError as error:
            outage.begins(error)
            raise
        outage.ends(self.location)

    def _failed(self, error: Exception, outage: _Outage) -> StoreError:
        failed = store_error(error, self.location)
        why = obstacle(self._file) if self._file is not None and not failed.passing else ""
        if why:
            failed.cause += f" ({why})"
        outage.begins(failed)
        return failed

    async def close(self) -> None:
        """Close every connection. They are opened again when somebody asks for them."""
        if self._threads is not None:
            await self._threads.close()
        else:
            await cast("AsyncEngine", self.engine).dispose()


class _Turn:
    """Whose turn it is to write, in this process and one environment."""

    def __init__(self, key: str | None) -> None:
        self.key = key
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def take(self, room: int) -> None:
        """Wait for the turn.

        Raises:
            Crowded: so many wait already, or the wait was too long.
        """
        if not self._waiting and not self._lock.locked():
            await self._lock.acquire()  # at once
            return
        if self._waiting >= room:
            raise Crowded(f"it is busy: {self._waiting} writers wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
                await self._lock.acquire()
        except TimeoutError:
            raise Crowded(f"it is busy: no turn to write within {BUSY_TIMEOUT_MS} ms") from None
        finally:
            self._waiting -= 1

    def give_back(self) -> bool:
        """End the turn; answers whether nobody waits for the next."""
        self._lock.release()
        return not self._waiting


class _Outage:
    """A time in which one kind of transaction fails: one line in the log when it begins, and one when it is over."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._refused = 0
        self._logged = False
        self._quiet_until = 0.0

    def begins(self, error: StoreError) -> None:
        """A transaction failed."""
        self._refused += 1
        if self._since is not None:
            return
        self._since = time.monotonic()
        self._logged = self._since >= self._quiet_until
        if self._logged:
            logger.error("%s; what needs it is refused until it works again", error)

    def ends(self, location: str) -> None:
        """A transaction succeeded."""
        if self._since is None:
            return
        now = time.monotonic()
        if self._logged:
            seconds = now - self._since
            logger.warning("the database %s works again after %.1f s; %d refused", location, seconds, self._refused)
            self._quiet_until = now + QUIET_SECONDS
        self._since, self._refused = None, 0


def _lock(environment: str | None) -> tuple[Executable, dict[str, int]]:
    """The statement that waits for a writer's turn on PostgreSQL, and its parameters."""
    keys = {"lock": WRITE_LOCK, "whole": WHOLE_DATABASE}
    if environment is None:
        return text("SELECT pg_advisory_xact_lock(:lock, :whole)"), keys
    # The first four bytes as PostgreSQL's integer; two environments that share them wait for each other, and no more.
    one = int.from_bytes(hashlib.sha256(environment.encode()).digest()[:4], "big", signed=True) or 1
    both = "SELECT pg_advisory_xact_lock_shared(:lock, :whole), pg_advisory_xact_lock(:lock, :one)"
    return text(both), {**keys, "one": one}


def _sqlite_engine(url: URL, *, create: bool) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "DATABASE_URL names an SQLite database in memory, which cannot be shared between processes; name a file"
        )
    file = Path(url.database)
    if create:
        with suppress(OSError):  # SQLite says that it cannot be opened, which is an outage
            file.parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite_engine(url)
    if not url.database.startswith("file:"):

        def prepare_place(_dialect: Any, _record: Any, arguments: Sequence[Any], _options: Any) -> None:
            _make_for_owner(Path(arguments[0]), create=create)

        event.listen(engine, "do_connect", prepare_place)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_for_owner(file: Path, *, create: bool) -> None:
    """Make a new file one that its owner alone can read: it holds conversations and the hashes of passwords.

    SQLite gives the files beside it the same permissions. A file that is there keeps what somebody gave it.
    """
    if file.exists():
        return
    if not create:
        raise sqlite3.OperationalError("the file is not there")
    with suppress(OSError):  # SQLite says that it cannot be opened
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _postgresql_engine(url: URL) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import create_async_engine  # seven MiB, of which SQLite has no use

    return create_async_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=BUSY_TIMEOUT_MS / 1000,
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

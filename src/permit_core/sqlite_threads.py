"""SQLite for an event loop: each connection lives in a thread of its own, and is used nowhere else.

The threads are aiosqlite's. A statement is one trip to its thread, and so is a whole transaction that is handed over as a
function. That matters: a trip costs as much as most of what is asked for here, and SQLAlchemy's own asyncio side takes a
dozen for each transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import aiosqlite
from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from permit_core.sqlite_glance import SqliteGlance

T = TypeVar("T")

MOST_READERS = 15
"""Connections that read at one moment; each is opened when it is first needed, and stays open."""

WAIT_SECONDS = 10.0
"""How long a reader waits for one of them."""

_DURABLE = {
    True: "PRAGMA synchronous = FULL",  # what was acknowledged is remembered, power cut or not
    False: "PRAGMA synchronous = NORMAL",  # it outlives the process; a power cut may take the last of it
}


class _Cursor(sqlite3.Cursor):
    """Fetches everything at once: rows are read by another thread than the statement was run in."""

    _rows: Sequence[Any] = ()
    _next = 0

    def execute(self, sql: str, parameters: Any = (), /) -> _Cursor:
        super().execute(sql, parameters)
        self._rows, self._next = (super().fetchall(), 0) if self.description else ((), 0)
        return self

    def fetchone(self) -> Any:
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        begin, self._next = self._next, self._next + (size or 1)
        return list(self._rows[begin : self._next])

    def fetchall(self) -> list[Any]:
        begin, self._next = self._next, len(self._rows)
        return list(self._rows[begin:])


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)


def sqlite_engine(url: URL) -> Engine:
    """An engine whose connections may be used by one thread after another; transactions are begun by hand."""
    options = {"factory": _Connection, "check_same_thread": False, "isolation_level": None}
    return create_engine(url.set(drivername="sqlite"), poolclass=NullPool, connect_args=options)


class SqliteThread:
    """A thread with a connection, which does one thing after another.

    Args:
        engine: connects.
        writes: whether its transactions may write.
    """

    def __init__(self, engine: Engine, *, writes: bool) -> None:
        self._engine = engine
        self._writes = writes
        self._durable: bool | None = None
        self._connection: Connection | None = None
        self._library = aiosqlite.Connection(self._connect, iter_chunk_size=1)
        # SQLAlchemy's own dialect takes hold of these two as well.
        self._thread = self._library._thread  # noqa: SLF001
        self._jobs: Any = self._library._tx  # noqa: SLF001
        self._thread.daemon = True  # a program that was told to end does not wait for it
        self._closed = False

    async def open(self) -> None:
        """Start the thread and connect, before anything else is done with it. When that fails, the thread is gone."""
        try:
            await self._library
        except BaseException:
            await settled(asyncio.ensure_future(asyncio.to_thread(self._thread.join)))
            raise

    def do(self, job: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Have something done after everything before it.

        Raises:
            sqlite3.ProgrammingError: the thread was closed.
        """
        if self._closed:
            raise sqlite3.ProgrammingError("the connection is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = job(self._open_connection())
            except BaseException as raised:  # noqa: BLE001 - whoever waits gets it
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_settle, future, result, error)

        self._jobs.put_nowait((None, run))
        return future

    def do_unheard(self, job: Callable[[Connection], Any]) -> None:
        """Have something done whose outcome nobody waits for; nothing, when the thread was closed."""
        if not self._closed:
            self._jobs.put_nowait((None, lambda: job(self._open_connection())))

    def begin(self, connection: Connection, *, durable: bool) -> None:
        """Begin a transaction; to be called within the thread."""
        raw = _raw(connection)
        if self._writes and durable is not self._durable:
            raw.execute(_DURABLE[durable])
            self._durable = durable
        # SQLAlchemy gets a notion of it by itself, if a statement is run on its connection. It says nothing to the
        # database then, and most transactions do without.
        raw.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN DEFERRED")

    async def close(self) -> None:
        """Close the connection; the thread is gone when this returns."""
        if self._connection is not None:
            closed = self.do(lambda connection: connection.close())
            self._closed = True
            await settled(closed)
        await self._library.close()
        self._thread.join()

    def _connect(self) -> sqlite3.Connection:
        self._connection = self._engine.connect()
        raw = _raw(self._connection)
        raw.execute(f"PRAGMA query_only = {'OFF' if self._writes else 'ON'}")
        return raw

    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the connection is not open")
        return self._connection


def commit(connection: Connection) -> None:
    """Commit the transaction that :meth:`SqliteThread.begin` began; to be called within the thread."""
    (connection if connection.in_transaction() else _raw(connection)).commit()


def rollback(connection: Connection) -> None:
    """Leave nothing open of the transaction; to be called within the thread."""
    (connection if connection.in_transaction() else _raw(connection)).rollback()


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # cancelled
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def settled(future: asyncio.Future[T]) -> T:
    """Wait for something until it is over, cancelled or not; what is half done in a thread cannot be left."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        future.exception()  # heard, for what it is worth
        raise cancelled
    return future.result()


class SqliteTransaction:
    """A transaction whose statements are run in the connection's thread, one trip each."""

    def __init__(self, thread: SqliteThread, dialect: Dialect) -> None:
        self._thread = thread
        self._begun = False
        self.dialect = dialect

    async def begin(self, *, durable: bool) -> None:
        """Begin now. One that only reads begins by itself, with its first statement."""
        self._begun = True
        await self._thread.do(lambda connection: self._thread.begin(connection, durable=durable))

    async def commit(self) -> None:
        """Commit; it has happened or failed when this ends, cancelled or not."""
        await settled(self._thread.do(commit))

    def end(self) -> None:
        """Leave nothing open. Whatever comes after it in the thread need not wait to be asked."""
        if self._begun:
            self._thread.do_unheard(rollback)

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a statement; all its rows have been fetched when this returns."""
        return await self.run_sync(lambda connection: connection.execute(statement, parameters))

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> CursorResult[Any]:
        """Run a statement in SQLite's own words."""
        return await self.run_sync(lambda connection: connection.exec_driver_sql(statement, parameters))

    async def run_sync(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function with the connection in its thread: all its statements are one trip.

        It keeps nothing of the connection. Cancelled, it is left to itself; what is asked for next comes after it.
        """
        first, self._begun = not self._begun, True

        def run(connection: Connection) -> T:
            if first:
                self._thread.begin(connection, durable=True)
            return function(connection, *arguments)

        return await self._thread.do(run)


class SqliteThreads:
    """One thread that writes and some that read; none before it is needed, and none after :meth:`close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer: SqliteThread | None = None
        self._readers: list[SqliteThread] = []
        self._idle: list[SqliteThread] = []
        self._free = asyncio.Semaphore(MOST_READERS)
        self.glance = SqliteGlance(engine)

    async def open_glance(self) -> None:
        """Have :attr:`glance` opened, in a reader's thread."""
        glance = self.glance
        async with self.reader() as thread:
            await thread.do(lambda _: glance.open())

    async def writer(self) -> SqliteThread:
        """The thread that writes; whoever asks takes care that one asks at a time."""
        if self._writer is None:
            self._writer = await self._started(writes=True)
        return self._writer

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[SqliteThread]:
        """A thread that reads, for the time of the context; the one last used, if it is free."""
        free = self._free
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await free.acquire()
        except TimeoutError:
            raise sqlite3.OperationalError("too many readers at once") from None
        try:
            thread = self._idle.pop() if self._idle else await self._started(writes=False)
            try:
                yield thread
            finally:
                if thread in self._readers:  # not closed meanwhile
                    self._idle.append(thread)
        finally:
            free.release()

    async def close(self) -> None:
        """Close every connection. They are opened again when somebody asks for them."""
        threads = [*self._readers, *([self._writer] if self._writer else [])]
        self._writer, self._readers, self._idle = None, [], []
        self._free = asyncio.Semaphore(MOST_READERS)
        glance, self.glance = self.glance, SqliteGlance(self._engine)
        if threads:
            # In a thread: whichever connection is closed last writes the log into the file.
            await settled(threads[0].do(lambda _: glance.close()))
        for thread in threads:
            await thread.close()

    async def _started(self, *, writes: bool) -> SqliteThread:
        thread = SqliteThread(self._engine, writes=writes)
        try:
            await thread.open()
        except BaseException as error:
            if isinstance(error, OSError):
                raise sqlite3.OperationalError(str(error)) from error
            raise
        if not writes:
            self._readers.append(thread)
        return thread

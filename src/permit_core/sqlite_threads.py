"""SQLite for an event loop: each connection lives in a thread of its own, and is used nowhere else.

A statement is one trip to its thread, and so is a whole transaction that is handed over as a function. That matters: a trip
costs as much as most of what is asked for here, and an asyncio driver under SQLAlchemy takes a dozen for each transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from permit_core.database_errors import Crowded, FileMoved
from permit_core.sqlite_place import SCHEMA, Place, schema_in

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
        place: where the file is.
        writes: whether its transactions may write.
    """

    def __init__(self, engine: Engine, place: Place, *, writes: bool) -> None:
        self._engine = engine
        self._place = place
        self._writes = writes
        self._durable: bool | None = None
        self._connection: Connection | None = None
        self._usable = False
        self._closed = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        name = "sqlite writer" if writes else "sqlite reader"
        # A program that was told to end does not wait for it.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    async def open(self) -> None:
        """Start the thread and connect, before anything else is done with it. When that fails, the thread is gone."""
        self._thread.start()
        try:
            await settled(self.do(lambda _: None))
        except BaseException:
            await self.close()
            raise

    def do(self, job: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Have something done with the connection, after everything before it.

        Raises:
            sqlite3.ProgrammingError: the thread was closed.
        """
        return self.call(lambda: job(self._open_connection()))

    def call(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Have something done in the thread, after everything before it.

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
                result = job()
            except BaseException as raised:  # noqa: BLE001 - whoever waits gets it
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_settle, future, result, error)

        self._jobs.put(run)
        return future

    def leave_soon(self) -> None:
        """Have :meth:`leave` done after everything before it; nothing, when the thread was closed."""
        if not self._closed:
            self._jobs.put(lambda: self.leave(self._connection))

    def begin(self, connection: Connection, *, durable: bool) -> None:
        """Begin a transaction; to be called within the thread."""
        raw = _raw(connection)
        if self._writes and durable is not self._durable:
            raw.execute(_DURABLE[durable])
            self._durable = durable
        # SQLAlchemy gets a notion of it by itself, if a statement is run on its connection. It says nothing to the
        # database then, and most transactions do without.
        raw.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN DEFERRED")

    def commit(self, connection: Connection) -> None:
        """Commit the transaction that :meth:`begin` began; to be called within the thread.

        Raises:
            FileMoved: the path names another file; ``outcome`` says whether that was known before.
        """
        if self._durable or self._place.moved:
            self._place.check()
        (connection if connection.in_transaction() else _raw(connection)).commit()
        if self._durable:
            self._place.check_committed()

    def leave(self, connection: Connection | None) -> None:
        """Leave nothing open of a transaction, however it ended; to be called within the thread.

        A commit that failed leaves both SQLAlchemy and SQLite in a transaction, each in its own. A connection that cannot
        be brought out of it is not used again.
        """
        if connection is None or connection is not self._connection:
            return
        try:
            connection.rollback()
            raw = _raw(connection)
            if raw.in_transaction:
                raw.rollback()
            self._usable = self._usable and not raw.in_transaction
        except Exception:  # noqa: BLE001 - whatever it is, the next transaction gets another connection
            self._usable = False

    async def close(self) -> None:
        """Close the connection; the thread is gone when this returns."""
        closed = self.call(self._disconnect)
        self._closed = True
        self._jobs.put(None)
        try:
            await settled(closed)
        finally:
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # nothing of it is kept while the next is waited for

    def _open_connection(self) -> Connection:
        if self._connection is None or not self._usable:
            self._place.check()
            before = self._place.now()
            connection = self._engine.connect()
            try:
                raw = _raw(connection)
                raw.execute(f"PRAGMA query_only = {'OFF' if self._writes else 'ON'}")
                raw.execute("SELECT count(*) FROM sqlite_master")  # now the log and its index are there
                self._place.opened(before)
            except BaseException:
                connection.close()
                raise
            self._disconnect()  # not before: SQLite takes the log away with the last connection
            self._connection, self._usable, self._durable = connection, True, None
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is gone either way
                connection.close()


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
        await settled(self._thread.do(self._thread.commit))
        self._begun = False

    def end(self) -> None:
        """Leave nothing open. Whatever comes after it in the thread need not wait to be asked."""
        if self._begun:
            self._thread.leave_soon()

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
    """One thread that writes and some that read; none before it is needed, and none after :meth:`close`.

    Where the file was replaced, the next one that asks has the threads closed and opened on what is there now, if that is a
    database with the same schema; else it is refused.

    Args:
        engine: connects.
        path: of the file; None for one that has no path of its own.
    """

    def __init__(self, engine: Engine, path: str | None) -> None:
        self._engine = engine
        self._place = Place(path)
        self._writer: SqliteThread | None = None
        self._readers: list[SqliteThread] = []
        self._idle: list[SqliteThread] = []
        self._free = asyncio.Semaphore(MOST_READERS)
        self._settling = asyncio.Lock()
        self.peek = SqlitePeek(engine, self._place)

    async def open_peek(self) -> None:
        """Have :attr:`peek` opened, in a reader's thread."""
        async with self.reader() as thread:
            peek = self.peek
            await thread.do(lambda _: peek.open())

    async def writer(self) -> SqliteThread:
        """The thread that writes; whoever asks takes care that one asks at a time."""
        await self._settle_in()
        if self._writer is None:
            self._writer = await self._started(writes=True)
        return self._writer

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[SqliteThread]:
        """A thread that reads, for the time of the context; the one last used, if it is free."""
        await self._settle_in()
        free = self._free
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await free.acquire()
        except TimeoutError:
            raise Crowded("too many readers at once") from None
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
        peek, self.peek = self.peek, SqlitePeek(self._engine, self._place)
        if threads:
            # In a thread: whichever connection is closed last writes the log into the file.
            await settled(threads[0].call(peek.close))
        for thread in threads:
            await thread.close()
        self._place.forget()

    async def _settle_in(self) -> None:
        """Make sure that the file that is open is the one in the place, or open that.

        Raises:
            FileMoved: there is none, or it is not one to go on with.
        """
        if not self._place.moved:
            return
        async with self._settling:
            if not self._place.moved:
                return
            path = self._place.path
            if path is None or not self._place.has_another:
                raise FileMoved(self._place.difference())
            if await self._schema() != (found := await schema_in(path)) or found is None:
                raise FileMoved(
                    f"another file is in its place, {'which is no database' if found is None else 'with other tables'}; "
                    "put the right one there, or stop this program and start it again"
                )
            await self.close()

    async def _schema(self) -> list[tuple[str, str]]:
        """The schema of the file that is open."""

        def read(connection: Connection) -> list[tuple[str, str]]:
            return [(str(name), str(sql)) for name, sql in _raw(connection).execute(SCHEMA)]

        threads = [*self._idle, *self._readers, *([self._writer] if self._writer else [])]
        return await threads[0].do(read) if threads else []

    async def _started(self, *, writes: bool) -> SqliteThread:
        thread = SqliteThread(self._engine, self._place, writes=writes)
        try:
            await thread.open()
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error
        if not writes:
            self._readers.append(thread)
        return thread


class SqlitePeek:
    """A connection that reads a row which SQLite has in memory, or finds within a page or two, from the event loop itself.

    A trip to a connection's thread would cost fifty times as much. It sees everything that was committed, by whatever
    process, before the look. SQLite itself compares the header of the write-ahead log's index, which every commit changes,
    with the one it saw last: its pages are read again only when something was committed. It waits for nobody. Readers do
    not wait for writers, and where SQLite would wait all the same (while another process mends the file after a crash) the
    look fails, and whoever looks asks in the ordinary way.

    It is opened and closed in some thread, since both may take the disk, and used by the event loop's thread alone.
    """

    def __init__(self, engine: Engine, place: Place) -> None:
        self._engine = engine
        self._place = place
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._over = False

    @property
    def is_open(self) -> bool:
        """Whether it can look."""
        return self._cursor is not None

    def open(self) -> None:
        """Connect, unless that was done, or it was closed meanwhile. Blocks.

        Raises:
            sqlalchemy.exc.DBAPIError, sqlite3.Error: the database cannot be opened.
        """
        with self._lock:
            if self._connection is not None or self._over:
                return
            connection = self._engine.connect()
            try:
                raw = _raw(connection)
                raw.execute("PRAGMA query_only = ON")
                raw.execute("PRAGMA busy_timeout = 0")
                raw.execute("SELECT count(*) FROM sqlite_master")  # now it knows the schema
                self._place.check()
            except BaseException:
                connection.close()
                raise
            self._connection, self._cursor = connection, sqlite3.Cursor(raw)

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The only row of a query, as it is at this moment; None when it cannot be said here and now."""
        if self._cursor is None or self._place.moved:
            return None
        try:
            # To the end: a statement that is not finished would go on seeing what it saw.
            rows = self._cursor.execute(sql, parameters).fetchall()
        except sqlite3.Error:
            return None
        return rows[0] if len(rows) == 1 else None

    def close(self) -> None:
        """Disconnect, for ever. Blocks. Nobody looks any more when this is called."""
        with self._lock:
            self._over = True
            if self._connection is not None:
                self._connection.close()
            self._connection, self._cursor = None, None

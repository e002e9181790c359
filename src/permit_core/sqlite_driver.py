"""aiosqlite behind SQLAlchemy's asyncio side, with one trip to a connection's thread for each statement.

SQLAlchemy's own adapter makes four of each statement (open, execute, fetch, close) and one more of each end of a
transaction. A trip costs more than most of what is asked for here.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import get_ident
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection, AsyncAdapt_terminate
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util.concurrency import await_

T = TypeVar("T")

NAME = "sqlite+threads"
"""The driver's name in an engine's URL; people write ``sqlite+aiosqlite``."""

READING = ("PRAGMA query_only = ON", "BEGIN DEFERRED")
_WRITING = {
    # What was acknowledged is remembered, power cut or not.
    True: ("PRAGMA query_only = OFF", "PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"),
    # What was acknowledged outlives this process, however it ends; a power cut may take the last of it.
    False: ("PRAGMA query_only = OFF", "PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"),
}


class _Worker:
    """The thread of a connection: it does one thing after another. Thread and queue are the library's."""

    def __init__(self, library: aiosqlite.Connection) -> None:
        self._library = library
        self._thread = library._thread  # noqa: SLF001 - as SQLAlchemy's own dialect does
        self._jobs: Any = library._tx  # noqa: SLF001 - likewise
        self._ended = False

    @property
    def is_here(self) -> bool:
        """Whether whoever asks is the thread itself."""
        return self._thread.ident == get_ident()

    def do(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Have something done after everything before it.

        Raises:
            sqlite3.OperationalError: the connection was closed.
        """
        if self._ended:
            raise sqlite3.OperationalError("connection closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait((future, function))
        return future

    def do_unheard(self, function: Callable[[], Any]) -> None:
        """Have something done whose outcome nobody waits for."""
        if not self._ended:
            self._jobs.put_nowait((None, function))

    async def close(self) -> None:
        """Close the connection; the thread is gone when this returns."""
        self._ended = True
        await self._library.close()
        self._thread.join()

    def stop(self) -> None:
        """Close the connection when everything is done, and wait for nothing."""
        self._ended = True
        self._library.stop()


class SqliteCursor:
    """A cursor as SQLAlchemy wants it. Everything it will answer has been fetched when ``execute`` returns."""

    server_side = False
    arraysize = 1

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, operation: str, parameters: Any = ()) -> SqliteCursor:
        """Run a statement and fetch its rows."""
        self._connection.do(lambda raw: self._take(raw.execute(operation, parameters or ())))
        return self

    def executemany(self, operation: str, parameters: Iterable[Any]) -> SqliteCursor:
        """Run a statement once for each set of parameters."""
        self._connection.do(lambda raw: self._take(raw.executemany(operation, parameters)))
        return self

    def _take(self, cursor: sqlite3.Cursor) -> None:
        try:
            self.description = cursor.description
            if cursor.description:
                self._rows = deque(cursor.fetchall())
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()

    def fetchone(self) -> Any:
        """The next row, or None."""
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        """The next rows."""
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> Sequence[Any]:
        """All rows that are left."""
        rows, self._rows = list(self._rows), deque()
        return rows

    def close(self) -> None:
        """Forget the rows."""
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """There is nothing open any more."""


class SqliteConnection(AsyncAdapt_terminate, AsyncAdapt_dbapi_connection):
    """A connection as SQLAlchemy wants it.

    Its methods are called within SQLAlchemy's asyncio side, where they wait; and by a function that :meth:`at_once`
    runs in the thread, where they do what they are to do.

    Attributes:
        writes: whether the next transaction writes; set before it begins, and for that one only.
        durable: whether it waits for the disk; likewise.
    """

    def __init__(self, dbapi: Any, worker: _Worker, raw: sqlite3.Connection) -> None:
        self.dbapi = dbapi
        self.writes = False
        self.durable = True
        self._worker = worker
        self._connection: Any = raw
        self._first: Sequence[str] = ()
        self._open = False

    def do(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the connection in its thread, what was put off before."""
        if self._worker.is_here:
            return self._now(function)
        return await_(self._worker.do(lambda: self._now(function)))

    async def at_once(self, function: Callable[[], T]) -> T:
        """Run a function that uses this connection in its thread.

        Cancelled, it waits until the function has ended all the same: two threads must not use one connection.
        """
        running = self._worker.do(function)
        cancelled: asyncio.CancelledError | None = None
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            running.exception()  # heard, for what it is worth
            raise cancelled
        return running.result()

    def _now(self, function: Callable[[sqlite3.Connection], T]) -> T:
        first, self._first = self._first, ()
        for statement in first:
            self._connection.execute(statement)
        return function(self._connection)

    def begin(self) -> None:
        """Begin a transaction: a writing one at once, a reading one with its first statement."""
        self._open = True
        self._first = _WRITING[self.durable] if self.writes else READING
        if self.writes:
            self.do(lambda _: None)

    def commit(self) -> None:
        """Commit. Nothing can go wrong with what was only read, so nobody waits for its end."""
        self._end(lambda raw: raw.commit())

    def rollback(self) -> None:
        """Roll back, if there is anything."""
        self._end(lambda raw: raw.rollback())

    def _end(self, how: Callable[[sqlite3.Connection], None]) -> None:
        begun, self._open = self._open, False
        writes, self.writes, self.durable = self.writes, False, True
        if not begun:
            return
        if writes:
            self.do(how)
        elif self._first:
            self._first = ()  # nothing was read
        else:
            self._worker.do_unheard(self._connection.rollback)

    def cursor(self, server_side: bool = False) -> Any:
        """A new cursor."""
        if server_side:
            raise NotImplementedError("rows come all at once")
        return SqliteCursor(self)

    def create_function(self, *arguments: Any, **options: Any) -> None:
        """Make a function of ours known to SQL."""
        self.do(lambda raw: raw.create_function(*arguments, **options))

    def close(self) -> None:
        """Close; the thread is gone when this returns."""
        await_(self._terminate_graceful_close())

    async def _terminate_graceful_close(self) -> None:
        await self._worker.close()

    def _terminate_force_close(self) -> None:
        self._worker.stop()


class _Module:
    """What SQLAlchemy takes for the driver's module: ``sqlite3`` with another way to connect."""

    paramstyle = "qmark"
    has_stop = True
    sqlite = sqlite3

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, *arguments: Any, **options: Any) -> SqliteConnection:
        """Connect. We say BEGIN ourselves."""
        library = aiosqlite.connect(*arguments, **{**options, "isolation_level": None})
        library._thread.daemon = True  # noqa: SLF001 - a program that was told to end does not wait for it
        await_(library)
        return SqliteConnection(self, _Worker(library), library._conn)  # noqa: SLF001


class SqliteDialect(SQLiteDialect_aiosqlite):
    """SQLite over the connections of this module."""

    driver = "threads"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver."""
        return _Module()

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin as the connection was told to."""
        dbapi_connection.dbapi_connection.begin()


registry.register("sqlite.threads", __name__, "SqliteDialect")

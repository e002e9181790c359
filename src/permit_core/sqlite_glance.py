"""A look at one row from the event loop itself, where a trip to a connection's thread would cost fifty times as much."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine


class SqliteGlance:
    """A connection that reads a row which SQLite has in memory, or finds within a page or two.

    It sees everything that was committed, by whatever process, before the look. SQLite itself compares the header of the
    write-ahead log's index, which every commit changes, with the one it saw last: its pages are read again only when
    something was committed. It waits for nobody. Readers do not wait for writers, and where SQLite would wait all the same
    (while another process mends the file after a crash) the look fails, and whoever looks asks in the ordinary way.

    It is opened and closed in some thread, since both may take the disk, and used by the event loop's thread alone.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
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
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA query_only = ON")
                raw.execute("PRAGMA busy_timeout = 0")
                raw.execute("SELECT count(*) FROM sqlite_master")  # now it knows the schema
            except BaseException:
                connection.close()
                raise
            self._connection, self._cursor = connection, sqlite3.Cursor(raw)

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The only row of a query, as it is at this moment; None when it cannot be said here and now."""
        if self._cursor is None:
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

"""The one door to the database: SQLite (aiosqlite) and PostgreSQL (asyncpg) behave alike behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from permit_core.errors import ConfigurationError

Transaction = AsyncConnection
"""An open transaction. Statements run on it; whoever opened it commits."""

BUSY_TIMEOUT_MS = 10_000
WRITE_LOCK = 7_766_001  # any constant: the key of PostgreSQL's advisory lock that makes writers take turns


class Database:
    """An engine, and how transactions are opened on it.

    Writers take turns, on SQLite by ``BEGIN IMMEDIATE`` and on PostgreSQL by an advisory lock: a decision and the
    effect it allows see the same facts, and the audit chain has one end.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> Database:
        """Make an engine for ``sqlite+aiosqlite:///path`` or ``postgresql+asyncpg://...``; connects on first use.

        Raises:
            ConfigurationError: the URL cannot be read or names another kind of database.
        """
        try:
            parsed = make_url(url)
        except SQLAlchemyError as error:
            raise ConfigurationError("DATABASE_URL cannot be read; expected sqlite+aiosqlite:///FILE "
                                     "or postgresql+asyncpg://USER:PASSWORD@HOST/NAME") from error
        if parsed.drivername == "sqlite+aiosqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_async_engine(parsed)
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        elif parsed.drivername == "postgresql+asyncpg":
            engine = create_async_engine(parsed, pool_pre_ping=True)
        else:
            raise ConfigurationError(f"DATABASE_URL names {parsed.drivername}; "
                                     "expected sqlite+aiosqlite or postgresql+asyncpg")
        return cls(engine)

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite, False on PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A write transaction: commits when the body ends, rolls back when it raises."""
        async with self.engine.connect() as connection:
            connection = await connection.execution_options(sqlite_begin="IMMEDIATE")
            async with connection.begin():
                if not self.is_sqlite:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A read-only transaction over one state of the data; never waits for writers."""
        async with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def joined(self, transaction: Transaction | None) -> AsyncIterator[Transaction]:
        """The given transaction, or a reading one of its own when None."""
        if transaction is not None:
            yield transaction
            return
        async with self.reading() as own:
            yield own

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON",
                   "synchronous = NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")

"""What the drivers of both databases raise, in our errors."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Literal
from weakref import WeakSet

from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError  # noqa: TID251 - here it becomes ours

from permit_core.errors import ConstraintViolated, StoreError

Kind = Literal["unique", "foreign_key", "check", "not_null", "other"]

_SQLITE_KINDS: dict[str, Kind] = {
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_ROWID": "unique",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign_key",
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_CONSTRAINT_NOTNULL": "not_null",
}
_POSTGRESQL_KINDS: dict[str, Kind] = {
    "23505": "unique",
    "23503": "foreign_key",
    "23514": "check",
    "23502": "not_null",
}
_SQLITE_BEYOND_REPAIR = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_SQLITE_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT}
# By class: connection lost, rolled back (deadlock), told to stop (restarting); 53300 is too many connections, 55P03 a lock
# that was waited for in vain. A full disk (53100) is none of them.
_POSTGRESQL_PASSING = re.compile("08|40|57|53300|55P03")

_NAMING: WeakSet[Engine] = WeakSet()


class FileMoved(sqlite3.OperationalError):
    """The path of the database does not name the file that is open.

    Args:
        text: what is there instead, for the operator.
        outcome: of the commit during which it was noticed; see :class:`StoreError`.
    """

    def __init__(self, text: str, outcome: Literal["nothing", "unknown"] = "nothing") -> None:
        super().__init__(text)
        self.outcome = outcome


class Crowded(sqlite3.OperationalError):
    """So many wait already that waiting would not help."""


def name_constraints(engine: Engine) -> None:
    """Have an engine raise :class:`ConstraintViolated` in place of SQLAlchemy's own error."""
    # Not asked of the engine: SQLAlchemy answers by its id, which may have been that of an engine that is gone.
    if engine not in _NAMING:
        _NAMING.add(engine)
        event.listen(engine, "handle_error", _raise_ours)


def _raise_ours(context: Any) -> None:
    if isinstance(context.sqlalchemy_exception, IntegrityError):
        raise constraint_violated(context.original_exception) from context.original_exception


def constraint_violated(original: BaseException) -> ConstraintViolated:
    """Which constraint a driver's error is about."""
    if isinstance(original, sqlite3.IntegrityError):
        kind = _SQLITE_KINDS.get(original.sqlite_errorname, "other")
        _, colon, named = str(original).partition(" failed: ")
        index = re.fullmatch("index '(.*)'", named)
        said = index.group(1) if index else named
        return ConstraintViolated(said if colon else ("" if kind != "other" else str(original)), kind)
    cause: Any = original.__cause__ or original
    kind = _POSTGRESQL_KINDS.get(str(getattr(cause, "sqlstate", "")), "other")
    column = f"{getattr(cause, 'table_name', '')}.{getattr(cause, 'column_name', '')}"
    return ConstraintViolated(getattr(cause, "constraint_name", None) or column.strip("."), kind)


def store_error(error: Exception, location: str) -> StoreError:
    """A driver's error as ours; it has the driver's first line and no values.

    Args:
        error: what SQLAlchemy or a driver raised.
        location: where the database is, without its password.
    """
    outcome = error.outcome if isinstance(error, FileMoved) else "nothing"
    verb = "cannot be reached" if isinstance(error, OSError) else "failed"
    code = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", -1) & 0xFF
    remedy = ". Put a backup in its place, or name another database" if code in _SQLITE_BEYOND_REPAIR else ""
    return StoreError(
        f"the database {location} {verb}: {first_line(error)}{remedy}", passing=_passing(error), outcome=outcome
    )


def commit_lost(error: SQLAlchemyError) -> bool:
    """Whether the answer to a commit was lost, and not that it was refused."""
    return bool(getattr(error, "connection_invalidated", False)) or not _sqlstate(error)


def first_line(error: BaseException) -> str:
    """The first line of an error's text; the others hold the statement and its values."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _passing(error: BaseException) -> bool:
    original = getattr(error, "orig", None) or error
    if isinstance(original, Crowded | OSError) or getattr(error, "connection_invalidated", False):
        return True
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", -1) & 0xFF in _SQLITE_PASSING
    state = _sqlstate(error)
    return not state or _POSTGRESQL_PASSING.match(state) is not None


def _sqlstate(error: BaseException) -> str:
    original: Any = getattr(error, "orig", None) or error
    return str(getattr(original, "sqlstate", None) or "")

"""Statements of which much is asked: compiled once for each kind of database, and run without SQLAlchemy's detours.

SQLAlchemy looks up the compiled form of a statement each time, prepares its parameters and wraps what comes back. For
the few statements that every turn of a chat and every call of a tool run, this costs more than the database does.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

from permit_core.database_errors import constraint_violated

_Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in the words of one kind of database.

    Attributes:
        names: its parameters in their order, and how each is turned into what the driver takes.
        fixed: parameters that have a value already.
        row: makes a row that has names of the columns that are asked for; None when nothing is.
        back: how each column is turned into what it is in Python.
    """

    sql: str
    names: Sequence[tuple[str, _Processor]]
    fixed: Mapping[str, Any]
    row: Callable[..., Any] | None
    back: Sequence[_Processor]

    def rows(self, found: Sequence[Any]) -> list[Any]:
        make = self.row
        if make is None:
            return []
        return [make(*(p(v) if p is not None else v for p, v in zip(self.back, each, strict=True))) for each in found]


class Prepared:
    """A statement with parameters that are given by name.

    Args:
        statement: with ``bindparam`` for what changes, or an insert.
        columns: the columns that an insert is given.
    """

    def __init__(
        self, statement: Insert | Update | Delete | Select[*tuple[Any, ...]], columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._compiled: dict[str, _Compiled] = {}

    def run(
        self, connection: Connection, values: Mapping[str, Any] | Sequence[Mapping[str, Any] | tuple[Any, ...]]
    ) -> int:
        """Run it once, or once for each of several sets of values; answers how many rows it has changed.

        A set may also be a tuple with all parameters in their order, as the driver takes them.

        Raises:
            KeyError: a parameter has no value.
            ConstraintViolated: a constraint is violated.
        """
        return int(self._executed(connection, values)[1].rowcount)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """The rows that it finds, with names for what was asked for.

        Raises:
            KeyError: a parameter has no value.
        """
        compiled, cursor = self._executed(connection, values)
        return compiled.rows(cursor.fetchall())

    def _executed(
        self, connection: Connection, values: Mapping[str, Any] | Sequence[Mapping[str, Any] | tuple[Any, ...]]
    ) -> tuple[_Compiled, Any]:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        parameters: Any
        if isinstance(values, Mapping):
            many, parameters = False, _in_order(compiled.names, compiled.fixed, values)
        else:
            many = True
            parameters = [
                each if isinstance(each, tuple) else _in_order(compiled.names, compiled.fixed, each) for each in values
            ]
        if dialect.name != "sqlite":
            return compiled, connection.exec_driver_sql(compiled.sql, parameters)
        raw: Any = connection.connection.dbapi_connection
        try:
            return compiled, (raw.executemany if many else raw.execute)(compiled.sql, parameters)
        except sqlite3.IntegrityError as error:
            raise constraint_violated(error) from error

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        processors = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        asked = list(self._statement.selected_columns) if isinstance(self._statement, Select) else []
        self._compiled[dialect.name] = _Compiled(
            sql=compiled.string,
            names=[(name, processors[name]) for name in compiled.positiontup or []],
            fixed={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            row=_row_of(asked),
            back=[column.type.dialect_impl(dialect).result_processor(dialect, None) for column in asked],
        )
        return self._compiled[dialect.name]


def _row_of(asked: Sequence[Any]) -> Callable[..., Any] | None:
    names = [str(column.key) for column in asked]
    return namedtuple("PreparedRow", names) if names else None


def _in_order(
    names: Sequence[tuple[str, _Processor]], fixed: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[Any, ...]:
    return tuple(
        process(value) if process is not None else value
        for name, process in names
        for value in (values[name] if name in values else fixed[name],)
    )

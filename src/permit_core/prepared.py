"""Statements of which much is asked: compiled once for each kind of database, and run without SQLAlchemy's detours.

SQLAlchemy looks up the compiled form of a statement each time, prepares its parameters and wraps what comes back. For
the few statements that every turn of a chat runs, this costs more than the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Update

_Processor = Callable[[Any], Any] | None


class Prepared:
    """A statement with parameters that are given by name.

    What comes back is as the driver has it: times and JSON are not converted, so ask for texts and numbers only.

    Args:
        statement: with ``bindparam`` for what changes, or an insert.
        columns: the columns that an insert is given.
    """

    def __init__(
        self, statement: Insert | Update | Delete | Select[*tuple[Any, ...]], columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._compiled: dict[str, tuple[str, list[tuple[str, _Processor]], dict[str, Any]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Run it once, or once for each of several sets of values.

        Raises:
            KeyError: a parameter has no value.
        """
        dialect = connection.dialect
        found = self._compiled.get(dialect.name) or self._compile(dialect)
        sql, names, fixed = found
        if isinstance(values, Mapping):
            return connection.exec_driver_sql(sql, _in_order(names, fixed, values))
        return connection.exec_driver_sql(sql, [_in_order(names, fixed, each) for each in values])

    def _compile(self, dialect: Dialect) -> tuple[str, list[tuple[str, _Processor]], dict[str, Any]]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        processors = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        names = [(name, processors[name]) for name in compiled.positiontup or []]
        fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._compiled[dialect.name] = compiled.string, names, fixed
        return self._compiled[dialect.name]


def _in_order(
    names: Sequence[tuple[str, _Processor]], fixed: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[Any, ...]:
    return tuple(
        process(value) if process is not None else value
        for name, process in names
        for value in (values[name] if name in values else fixed[name],)
    )

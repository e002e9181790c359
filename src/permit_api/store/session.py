"""One transaction inside one environment: what every noun reads and writes through."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, insert, or_, select, update
from sqlalchemy.sql.selectable import NamedFromClause

from permit_api.faults import duplicate, not_found
from permit_api.store.directory import BELONGING, STORED, add, change, remove
from permit_api.store.register import Requests
from permit_api.store.tables import SCHEMA, asked, environments, noun_of, requests, tenants
from permit_core.approvals.lifecycle import Event
from permit_core.entries import RoleAssignment
from permit_core.errors import ConstraintViolated
from permit_core.identity import SYSTEM, Actor
from permit_core.policy.facts import FactChange
from permit_core.stores.facts import bump_now, forget_now

Row = Mapping[Any, Any]
"""A row of a table, by column name."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\Z")


def as_uuid(text: str) -> str | None:
    """The UUID a text is, with or without hyphens, as ids are stored; None when it is none."""
    return str(uuid.UUID(text)) if _UUID.match(text) else None


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of a list, counted from 1.

    Attributes:
        attributes: only what has these attributes, each with this value as a caller writes it.
    """

    page: int
    per_page: int
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def before(self) -> int:
        """How many come before it."""
        return (self.page - 1) * self.per_page


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of answers, and how many there are in all."""

    data: list[Any]
    total: int
    per_page: int

    def envelope(self) -> dict[str, Any]:
        """``{data, total_count, page_count}``."""
        return {"data": self.data, "total_count": self.total, "page_count": -(-self.total // self.per_page)}


class Opened:
    """An open transaction, and what was done in it.

    Args:
        connection: of a transaction; whoever opened it commits.
        now: what is written as the time of changes, in UTC.
        register: enters and moves requests; None where nothing of them is written.

    Attributes:
        program: who acts, or acts for a user.
        changes: what was changed of the directory and not told yet, in order, by environment.
        made: the ids of what was made, by noun.
        removed: how much was taken away by itself, by noun; what goes with it is not counted.
        about: the ids of the environments that it was done to.
        roles: the roles that were given or taken (False) in each environment, once that was told.
        forgotten: the ids of environments that are no more.
    """

    def __init__(self, connection: Connection, now: datetime, register: Requests | None = None) -> None:
        self.connection, self.now, self._register = connection, now, register
        self.program = SYSTEM
        self.changes: defaultdict[str, list[FactChange]] = defaultdict(list)
        self.made: defaultdict[str, list[str]] = defaultdict(list)
        self.removed: Counter[str] = Counter()
        self.about: dict[str, None] = {}
        self.roles: defaultdict[str, dict[RoleAssignment, bool]] = defaultdict(dict)
        self.forgotten: set[str] = set()

    def insert(self, table: NamedFromClause, what: str, **values: Any) -> Row:
        """A new row, with its id and its times.

        Args:
            table: where.
            what: the noun, for the error.
            values: the other columns.

        Raises:
            ApiFault: 409, a row with what must be unique is there already.
        """
        row = {"id": new_id(), "created_at": self.now, "updated_at": self.now, **values}
        self.insert_many(table, what, [row])
        return row

    def insert_many(self, table: NamedFromClause, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Several new rows in one statement.

        Raises:
            ApiFault: 409, one of them is there already.
        """
        named = str(rows[0].get("key", what)) if len(rows) == 1 else "one of many"
        ids = {known: row["key"] for row in rows if (known := as_uuid(str(row.get("key", "")))) is not None}
        if ids:  # asked for by its key, what has it as its id would be found
            there = select(table.c.id).where(table.c.id.in_(ids))
            if "environment_id" in rows[0]:
                there = there.where(table.c.environment_id == rows[0]["environment_id"])
            found = self.connection.execute(there).scalars().first()
            if found is not None:
                raise duplicate(what, ids[found])
        try:
            if table in STORED:
                self.changes[rows[0]["environment_id"]] += add(self.connection, table, rows)
            elif isinstance(table, Table):
                self.connection.execute(insert(table), list(rows))
        except ConstraintViolated as error:
            raise duplicate(what, named) from error
        self.made[noun_of(table)] += [row["id"] for row in rows]

    @property
    def register(self) -> Requests:
        """Enters and moves requests."""
        if self._register is None:
            raise AssertionError("this transaction was opened without the register of requests")
        return self._register

    def tell(self) -> None:
        """Tell the facts of each environment what was changed of them; the last thing that a write does."""
        for environment, changes in self.changes.items():
            bump_now(self.connection, environment, changes, self.now)
            given = {each.entry: not each.removed for each in changes if isinstance(each.entry, RoleAssignment)}
            self.roles[environment] |= given
        self.changes.clear()

    def forget(self, environment: str) -> None:
        """Take all facts of an environment away, which is about to go as well."""
        forget_now(self.connection, environment)
        self.about[environment] = None
        self.forgotten.add(environment)


class Session:
    """An open transaction, and the environment that everything read or written in it belongs to.

    Args:
        opened: the transaction.
        environment: the row of ``environments``.

    Attributes:
        touched: what :meth:`insert`, :meth:`update` and :meth:`delete` changed.
    """

    def __init__(self, opened: Opened, environment: Row) -> None:
        self.opened, self.environment = opened, environment
        self.connection, self.now = opened.connection, opened.now
        self.touched: set[NamedFromClause] = set()

    @property
    def environment_id(self) -> str:
        """The environment's UUID."""
        return str(self.environment["id"])

    @property
    def ids(self) -> dict[str, str]:
        """The three ids that nearly every answer carries."""
        environment = self.environment
        return {
            "organization_id": environment["organization_id"],
            "project_id": environment["project_id"],
            "environment_id": environment["id"],
        }

    def audit(self, row: Row) -> dict[str, Any]:
        """``id``, the three ids and the two times of a row."""
        times = {name: row[name].isoformat() for name in ("created_at", "updated_at")}
        return {"id": row["id"], **self.ids, **times}

    def rows(self, statement: Select[Any]) -> list[Row]:
        """All rows of a statement."""
        return list(self.connection.execute(statement).mappings())

    def row(self, statement: Select[Any]) -> Row | None:
        """The only row of a statement, or None."""
        return self.connection.execute(statement).mappings().one_or_none()

    def all_of(self, table: NamedFromClause, *where: ColumnElement[bool]) -> list[Row]:
        """The rows of this environment for which ``where`` holds, the oldest first."""
        return self.rows(self.query(table, *where))

    def query(self, table: NamedFromClause, *where: ColumnElement[bool]) -> Select[Any]:
        """The statement of :meth:`all_of`."""
        return select(table).where(table.c.environment_id == self.environment_id, *where).order_by(*in_order_of(table))

    def find(self, table: NamedFromClause, ident: str, *where: ColumnElement[bool]) -> Row | None:
        """The row with this id or key, an id before a key; None when there is none."""
        known = as_uuid(ident)
        which = or_(table.c.id == known, table.c.key == ident) if known else table.c.key == ident
        found = self.rows(select(table).where(table.c.environment_id == self.environment_id, which, *where))
        return next((row for row in found if row["id"] == known), found[0] if found else None)

    def get(self, table: NamedFromClause, ident: str, what: str, *where: ColumnElement[bool]) -> Row:
        """The row with this id or key.

        Raises:
            ApiFault: 404, there is none in this environment.
        """
        found = self.find(table, ident, *where)
        if found is None:
            raise not_found(what, ident)
        return found

    def by_id(self, table: NamedFromClause, row_id: str) -> Row:
        """The row that a reference in the database points to."""
        return self.connection.execute(select(table).where(table.c.id == row_id)).mappings().one()

    def keys(self, table: NamedFromClause, ids: set[str]) -> dict[str, str]:
        """Id -> key of several rows."""
        if not ids:
            return {}
        found = self.connection.execute(select(table.c.id, table.c.key).where(table.c.id.in_(ids)))
        return {row.id: row.key for row in found}

    def page(self, statement: Select[Any], paging: Paging) -> tuple[list[Row], int]:
        """The rows of one page, and how many there are in all."""
        if paging.attributes:
            # Values of attributes have types, and callers write texts: compared here, alike on both databases.
            found = [row for row in self.rows(statement) if _has(row, paging.attributes)]
            return found[paging.before : paging.before + paging.per_page], len(found)
        total = self.connection.execute(
            select(func.count()).select_from(statement.order_by(None).subquery())
        ).scalar_one()
        return self.rows(statement.limit(paging.per_page).offset(paging.before)), total

    def insert(self, table: NamedFromClause, what: str, **values: Any) -> Row:
        """A new row, with its id, its environment and its times.

        Args:
            table: where.
            what: the noun, for the error.
            values: the other columns.

        Raises:
            ApiFault: 409, a row with what must be unique is there already.
        """
        row = self._filled(table, values)
        self.insert_many(table, what, [row])
        return self.by_id(table, row["id"]) if table in STORED else row

    def insert_many(self, table: NamedFromClause, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Several new rows in one statement; what they leave out is as of :meth:`insert`.

        Raises:
            ApiFault: 409, one of them is there already.
        """
        if rows:
            self.touched.add(table)
            self.opened.insert_many(table, what, [self._filled(table, row) for row in rows])

    def _filled(self, table: NamedFromClause, values: Mapping[str, Any]) -> dict[str, Any]:
        left_out = table.c if isinstance(table, Table) else ()
        return {
            **{column.name: getattr(column.default, "arg", None) for column in left_out},
            "id": new_id(),
            "environment_id": self.environment_id,
            "created_at": self.now,
            "updated_at": self.now,
            **values,
        }

    def link(self, table: Table, what: str, values: Mapping[str, Any]) -> None:
        """A row of a table whose rows have no id of their own.

        Raises:
            ApiFault: 409, it is there already.
        """
        self.touched.add(table)
        try:
            self.connection.execute(insert(table).values(**values))
        except ConstraintViolated as error:
            raise duplicate(what, str(values.get("key", what))) from error

    def update(self, table: NamedFromClause, row_id: str, **values: Any) -> Row:
        """Change a row; it as it is then."""
        self.touched.add(table)
        changed = {**values, "updated_at": self.now}
        if table in STORED:
            self.opened.changes[self.environment_id] += change(self.connection, table, row_id, changed)
        elif isinstance(table, Table):
            self.connection.execute(update(table).where(table.c.id == row_id).values(**changed))
        return self.by_id(table, row_id)

    def delete(self, table: NamedFromClause, *where: ColumnElement[bool]) -> int:
        """Take rows away, and with them what belongs to them; how many."""
        gone = self._delete(table, where)
        if gone:
            self.opened.removed[noun_of(table)] += gone
        return gone

    def _delete(self, table: NamedFromClause, where: Iterable[ColumnElement[bool]]) -> int:
        self.touched.add(table)
        for part, column in BELONGING.get(table, ()):
            self._delete(part, [part.c[column].in_(select(table.c.id).where(*where))])
        if table is requests:
            return self._withdraw(where)
        if not isinstance(table, Table):
            changes = remove(self.connection, table, where)
            self.opened.changes[self.environment_id] += changes
            return len(changes)
        return self.connection.execute(delete(table).where(*where)).rowcount

    def _withdraw(self, where: Iterable[ColumnElement[bool]]) -> int:
        """Cancel requests that nobody can decide any more, and forget that they were made here; the core remembers."""
        rows = self.rows(select(requests).where(*where))
        for row in rows:
            if row["status"] == "pending":
                actor = Actor(self.environment_id, self.by_id(tenants, row["tenant_id"])["key"], self.opened.program)
                self.opened.register.move(self.connection, self.environment_id, row["id"], Event.CANCEL, actor)
            self.connection.execute(delete(asked).where(asked.c.request_id == row["id"]))
        return len(rows)

    def bump(self) -> None:
        """Count up the version of the schema, if it was touched."""
        if self.changed_schema:
            counted = environments.c.schema_version + 1
            mine = environments.c.id == self.environment_id
            self.connection.execute(update(environments).where(mine).values(schema_version=counted))

    @property
    def changed_schema(self) -> bool:
        """Whether what decisions are made by was touched."""
        return bool(self.touched & SCHEMA)


def new_id() -> str:
    """The id of a row that is being made."""
    return str(uuid.uuid4())


def _has(row: Row, wanted: Iterable[tuple[str, str]]) -> bool:
    """Whether a row has these attributes: in a column of its own, or among the words of its body."""
    known = row["attributes"] if "attributes" in row else row["body"].get("attributes")
    return all(name in (known or {}) and _written(known[name]) == value for name, value in wanted)


def _written(value: Any) -> str:
    """A value as it is written in an address."""
    return value if isinstance(value, str) else json.dumps(value)


def in_order_of(table: NamedFromClause) -> tuple[Any, Any]:
    """Lists are in the order in which their things were made."""
    return table.c.created_at, table.c.id


def containing(search: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """One of the columns contains the text, whatever the case; or begins with it, when it ends with ``*``.

    Nothing else in it is a pattern.
    """
    lowered = [func.lower(column) for column in columns]
    if search.endswith("*"):
        return or_(*(column.startswith(search[:-1].lower(), autoescape=True) for column in lowered))
    return or_(*(column.contains(search.lower(), autoescape=True) for column in lowered))


def some(**values: Any) -> dict[str, Any]:
    """The values that are not None: answers leave out what is not known."""
    return {name: value for name, value in values.items() if value is not None}

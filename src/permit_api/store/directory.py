"""Writing the directory, which is the core's: rows as the wire knows them become rows of the core, and what it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, insert, select, update
from sqlalchemy.sql.selectable import NamedFromClause

from permit_api.store.tables import (
    assignments,
    elements,
    instances,
    relations,
    requests,
    resources,
    roles,
    tenants,
    tuples,
    users,
)
from permit_core.policy.facts import FactChange
from permit_core.stores import tables as core
from permit_core.stores.fact_rows import entry_of

Row = Mapping[Any, Any]

STORED: Mapping[NamedFromClause, Table] = {
    users: core.users,
    tenants: core.tenants,
    instances: core.resource_instances,
    assignments: core.role_assignments,
    tuples: core.relationship_tuples,
}
"""Where the rows are kept that the wire reads."""

BELONGING: Mapping[NamedFromClause, Sequence[tuple[NamedFromClause, str]]] = {
    users: ((assignments, "user_id"), (requests, "user_id")),
    tenants: ((assignments, "tenant_id"), (requests, "tenant_id"), (instances, "tenant_id")),
    instances: (
        (assignments, "instance_id"),
        (requests, "instance_id"),
        (tuples, "subject_id"),
        (tuples, "object_id"),
    ),
    roles: ((assignments, "role_id"), (requests, "role_id")),
    relations: ((tuples, "relation_id"),),
    resources: ((requests, "resource_id"), (instances, "resource_id")),
    elements: ((requests, "element_id"),),
}
"""Which rows of the core go with a row, and the column by which they name it."""

_MANY = 1000
"""So many ids are looked up in one statement."""


def add(connection: Connection, table: NamedFromClause, rows: Sequence[Row]) -> list[FactChange]:
    """Add rows; what the facts are told of it.

    Raises:
        ConstraintViolated: one of them is there already.
    """
    stored = STORED[table]
    kept = [
        {**row, "environment": row["environment_id"], **named}
        for row, named in zip(rows, _names(connection, table, rows), strict=True)
    ]
    connection.execute(insert(stored), [{name: row[name] for name in stored.c.keys() & row.keys()} for row in kept])
    return [_change(stored, row) for row in kept]


def change(connection: Connection, table: NamedFromClause, row_id: str, values: Row) -> list[FactChange]:
    """Change a row; what the facts are told of it."""
    stored = STORED[table]
    connection.execute(update(stored).where(stored.c.id == row_id).values(**values))
    return [_change(stored, row) for row in connection.execute(select(table).where(table.c.id == row_id)).mappings()]


def remove(connection: Connection, table: NamedFromClause, where: Iterable[ColumnElement[bool]]) -> list[FactChange]:
    """Take rows away, without what belongs to them; what the facts are told of it."""
    rows = connection.execute(select(table).where(*where)).mappings().all()
    if not rows:
        return []
    stored = STORED[table]
    gone = stored.delete().where(stored.c.id == bindparam("gone"))
    connection.execute(gone, [{"gone": row["id"]} for row in rows])
    return [_change(stored, row, removed=True) for row in rows]


def _change(stored: Table, row: Row, *, removed: bool = False) -> FactChange:
    return FactChange(entry_of(stored, SimpleNamespace(**{**dict.fromkeys(stored.c.keys()), **row})), removed)


def _names(connection: Connection, table: NamedFromClause, rows: Sequence[Row]) -> Iterable[Row]:
    """What the core calls the things that rows name by their ids."""

    def keys(of: NamedFromClause, column: str, *more: str) -> dict[str, Any]:
        ids = list({row[column] for row in rows if row[column] is not None})
        wanted = [of.c[name] for name in ("id", "key", *more)]
        found: dict[str, Any] = {None: None}  # type: ignore[dict-item]
        for first in range(0, len(ids), _MANY):
            some = select(*wanted).where(of.c.id.in_(ids[first : first + _MANY]))
            found |= {row.id: row for row in connection.execute(some)}
        return found

    if table is instances:
        kinds, owners = keys(resources, "resource_id"), keys(tenants, "tenant_id")
        return [{"type": kinds[row["resource_id"]].key, "tenant": owners[row["tenant_id"]].key} for row in rows]
    if table is assignments:
        people, held = keys(users, "user_id"), keys(roles, "role_id")
        owners, things = keys(tenants, "tenant_id"), keys(instances, "instance_id", "type")
        return [
            {
                "user_key": people[row["user_id"]].key,
                "role": held[row["role_id"]].key,
                "tenant": owners[row["tenant_id"]].key,
                "resource_type": "" if (on := things[row["instance_id"]]) is None else on.type,
                "resource_key": "" if on is None else on.key,
            }
            for row in rows
        ]
    if table is tuples:
        along, owners = keys(relations, "relation_id"), keys(tenants, "tenant_id")
        subjects, objects = keys(instances, "subject_id", "type"), keys(instances, "object_id", "type")
        return [
            {
                "subject_type": subjects[row["subject_id"]].type,
                "subject_key": subjects[row["subject_id"]].key,
                "relation": along[row["relation_id"]].key,
                "object_type": objects[row["object_id"]].type,
                "object_key": objects[row["object_id"]].key,
                "tenant": owners[row["tenant_id"]].key,
            }
            for row in rows
        ]
    return [{}] * len(rows)

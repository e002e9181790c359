"""Copying the schema of an environment into another one, and counting what is in one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.sql.selectable import NamedFromClause

from permit_api.faults import Unprocessable, conflict, invalid
from permit_api.nouns.account import (
    Caller,
    add_environment,
    find_environment,
    needs_wider_key,
    project_of,
    read_environment,
)
from permit_api.shapes.account import CopyScope, EnvironmentCopy
from permit_api.store.session import Row, Session, in_order_of
from permit_api.store.tables import (
    action_groups,
    actions,
    attributes,
    checks,
    condition_sets,
    derivations,
    noun_of,
    relations,
    resources,
    role_extends,
    role_permissions,
    roles,
    set_rules,
    tenants,
    users,
)

# What refers to something stands after it.
_ORDER = (resources, actions, action_groups, attributes, relations, roles)
_AFTER = (derivations, condition_sets, set_rules)
_LINKS = (role_permissions, role_extends)


def environment_stats(caller: Caller, project: str, environment: str) -> dict[str, Any]:
    """An environment, and how much is in it. ``policies`` counts condition sets; nobody counts active users."""
    row = find_environment(caller, project, environment)

    def count(table: NamedFromClause, *where: Any) -> int:
        found = select(func.count()).select_from(table).where(table.c.environment_id == row["id"], *where)
        return caller.connection.execute(found).scalar_one()

    stats = {
        "roles": count(roles),
        "users": count(users),
        "policies": count(condition_sets),
        "resources": count(resources, resources.c.built_in.is_(False)),
        "tenants": count(tenants),
        "has_decision_logs": count(checks) > 0,
        "members": [],
        "mau": 0,
    }
    return {**read_environment(row), "pdp_configs": [], "stats": stats}


def copy_environment(
    caller: Caller, project: str, environment: str, body: EnvironmentCopy
) -> tuple[dict[str, Any], Session]:
    """Copy resources, roles, condition sets and their rules; never facts.

    What refers to something that is not copied is left out.

    Returns:
        The environment that was copied into, and its session, with the copy in it.

    Raises:
        ApiFault: 409, something is there already; 400, it should be overwritten, which would take facts with it; 403 and
            404, of the two environments.
    """
    if body.conflict_strategy == "overwrite":
        raise invalid("overwriting would take the facts of what is overwritten: copy into a new environment")
    source = find_environment(caller, project, environment)
    into = body.target_env
    if (into.new is None) == (into.existing is None):
        raise Unprocessable(("target_env",), "expected one of existing and new")
    if into.new is not None:
        needs_wider_key(caller, "environment")
        target = add_environment(caller.opened, project_of(caller, project), into.new)
    else:
        target = find_environment(caller, project, str(into.existing))
    if target["id"] == source["id"]:
        raise Unprocessable(("target_env",), "expected another environment")
    copied = Session(caller.opened, target)
    _Copy(Session(caller.opened, source), copied, body.scope).run()
    return read_environment(target), copied


class _Copy:
    """One copy: every row gets an id of its own, and what referred to the old one refers to it."""

    def __init__(self, source: Session, target: Session, scope: CopyScope) -> None:
        self._source, self._target, self._scope = source, target, scope
        self._ids: dict[str, str] = {source.environment_id: target.environment_id}

    def run(self) -> None:
        there = {row["key"]: row["id"] for row in self._target.all_of(resources, resources.c.built_in.is_(True))}
        for row in self._source.all_of(resources, resources.c.built_in.is_(True)):
            self._ids[row["id"]] = there[row["key"]]
        for table in _ORDER:
            self._copy(table)
        for table in _LINKS:
            self._link(table)
        for table in _AFTER:
            self._copy(table)

    def _copy(self, table: Table) -> None:
        for row in self._rows(table):
            values = self._translated(table, row)
            if row["id"] in self._ids or values is None or not self._wanted(table, row):
                continue
            if "key" in table.c and self._is_there(table, values):
                raise conflict(
                    f"there is a {noun_of(table).removesuffix('s')} {row['key']!r} in the environment already"
                )
            made = {name: value for name, value in values.items() if name not in {"id", "created_at", "updated_at"}}
            self._ids[row["id"]] = self._target.insert(table, noun_of(table).removesuffix("s"), **made)["id"]

    def _rows(self, table: Table) -> list[Row]:
        """The rows, those that others of them refer to first."""
        rows = self._source.all_of(table)
        if table is not condition_sets:
            return rows
        first: dict[str | None, Row] = {}
        for _ in rows:  # as often as there can be sets within sets
            first |= {row["id"]: row for row in rows if row["id"] not in first and row["parent_id"] in {None, *first}}
        return list(first.values())

    def _link(self, table: Table) -> None:
        of_source = table.c.role_id.in_(select(roles.c.id).where(roles.c.environment_id == self._source.environment_id))
        found = [self._translated(table, row) for row in self._source.rows(select(table).where(of_source))]
        whole = [values for values in found if values is not None]
        if whole:
            self._target.connection.execute(insert(table), whole)

    def _translated(self, table: Table, row: Row) -> dict[str, Any] | None:
        """The row with the new ids; None when it refers to what is not copied."""
        values = dict(row)
        for column in table.c:
            if (column.foreign_keys or column.name == "owner_id") and values[column.name] is not None:
                values[column.name] = self._ids.get(values[column.name])
                if values[column.name] is None:
                    return None
        return values

    def _is_there(self, table: Table, values: dict[str, Any]) -> bool:
        owner = next(name for name in ("owner_id", "resource_id", "environment_id") if name in table.c)
        if table is condition_sets:
            owner = "environment_id"
        same = (table.c[owner] == values[owner], table.c.key == values["key"])
        return bool(self._target.rows(select(table).where(*same).order_by(*in_order_of(table))))

    def _wanted(self, table: Table, row: Row) -> bool:
        named = {
            resources: self._scope.resources,
            roles: self._scope.roles if row.get("resource_id") is None else None,
            condition_sets: self._scope.user_sets if row.get("type") == "userset" else self._scope.resource_sets,
        }.get(table)
        if named is None:
            return True
        included = not named.include or any(fnmatchcase(row["key"], each) for each in named.include)
        return included and not any(fnmatchcase(row["key"], each) for each in named.exclude)

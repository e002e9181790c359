"""Role assignments: a role for a user, in a whole tenant or on one instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from permit_api.faults import Unprocessable, duplicate, invalid, not_found
from permit_api.nouns.instances import ensure_instance, find_instance, instance_of
from permit_api.nouns.parts import resource_of
from permit_api.nouns.tenants import tenant_of
from permit_api.shapes.facts import AssignmentCreate, AssignmentRemove
from permit_api.store.session import Listed, Paging, Row, Session, as_uuid, some
from permit_api.store.tables import (
    assignments,
    instances,
    role_permissions,
    roles,
    tenants,
    users,
)


def assign(session: Session, body: AssignmentCreate, *, again: bool = False) -> Row:
    """Give a role. An instance that is not there is made, when the tenant is named.

    Args:
        session: the environment.
        body: who, what and where.
        again: let a role that is held already stay, instead of refusing it.

    Raises:
        ApiFault: 404, something it names is not there; 409, the user has it already; 400, no tenant is named, or the
            instance is in another one.
    """
    user = session.get(users, body.user, "User")
    tenant = None if body.tenant is None else tenant_of(session, body.tenant)
    instance = None
    if body.resource_instance is not None:
        instance = ensure_instance(session, body.resource_instance, tenant)
        tenant = tenant or session.by_id(tenants, instance["tenant_id"])
        if instance["tenant_id"] != tenant["id"]:
            message = f"{body.resource_instance!r} does not belong to tenant {tenant['key']!r}"
            raise invalid(message, "MISMATCH_RESOURCE_INSTANCES_TENANTS")
    if tenant is None:
        raise Unprocessable(("tenant",), "a role is held in a tenant, or on a resource instance: name one of them")
    role = _role(session, body.role, instance)
    place = (instance or tenant)["id"]
    held = session.row(
        session.query(
            assignments,
            assignments.c.user_id == user["id"],
            assignments.c.role_id == role["id"],
            assignments.c.place == place,
        )
    )
    if held is not None and again:
        return held
    if held is not None:
        raise duplicate("role assignment", f"{user['key']} {role['key']}")
    ids = {"user_id": user["id"], "role_id": role["id"], "tenant_id": tenant["id"]}
    instance_id = None if instance is None else instance["id"]
    return session.insert(assignments, "role assignment", **ids, instance_id=instance_id, place=place)


def unassign(session: Session, body: AssignmentRemove) -> dict[str, Any]:
    """Take a role away; what was taken.

    Raises:
        ApiFault: 404, it was not held.
    """
    row = _held(session, body)
    if row is None:
        raise not_found("RoleAssignment", f"{body.user} {body.role}")
    answer = read_assignments(session, [row])[0]
    session.delete(assignments, assignments.c.id == row["id"])
    return answer


def unassign_many(session: Session, bodies: Sequence[AssignmentRemove]) -> dict[str, int]:
    """Take many roles away in one transaction; those that are not held are not counted."""
    held = [_held(session, body) for body in bodies]
    found = {row["id"] for row in held if row is not None}
    return {"assignments_removed": session.delete(assignments, assignments.c.id.in_(found))}


def list_assignments(
    session: Session,
    paging: Paging,
    *,
    user: Sequence[str] = (),
    role: Sequence[str] = (),
    tenant: Sequence[str] = (),
    resource: str | None = None,
    resource_instance: str | None = None,
    detailed: bool = False,
) -> Listed:
    """The assignments of some users, of some roles, in some tenants, on instances of a type, on one instance."""
    where = []
    for column, table, idents in ((assignments.c.user_id, users, user), (assignments.c.tenant_id, tenants, tenant)):
        if idents:
            found = (session.find(table, ident) for ident in idents)
            where.append(column.in_([row["id"] for row in found if row]))
    if role:
        named = select(roles.c.id).where(or_(roles.c.key.in_(role), roles.c.id.in_(role)))
        where.append(assignments.c.role_id.in_(named))
    if resource is not None:
        of_type = select(instances.c.id).where(instances.c.resource_id == resource_of(session, resource)["id"])
        where.append(assignments.c.instance_id.in_(of_type))
    if resource_instance is not None:
        where.append(assignments.c.instance_id == instance_of(session, resource_instance)["id"])
    rows, total = session.page(session.query(assignments, *where), paging)
    read = _read_detailed if detailed else read_assignments
    return Listed(read(session, rows), total, paging.per_page)


def read_assignments(session: Session, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Assignments as they are answered; ``role`` is the bare key, for roles on instances too."""
    return [
        {
            "id": row["id"],
            "user": row["user_key"],
            "role": row["role"],
            "tenant": row["tenant"],
            **some(resource_instance=_instance_name(row), resource_instance_id=row["instance_id"]),
            "user_id": row["user_id"],
            "role_id": row["role_id"],
            "tenant_id": row["tenant_id"],
            **session.ids,
            "created_at": row["created_at"].isoformat(),
        }
        for row in rows
    ]


def held_roles(
    session: Session,
    paging: Paging,
    *,
    user: str | None,
    role: str | None,
    tenant: str | None,
    resource: str | None,
    resource_instance: str | None,
) -> list[dict[str, Any]]:
    """The assignments as the decision point lists them: keys only. A name that is not there matches none."""
    wanted = {"user_key": user, "role": role, "tenant": tenant, "resource_type": resource}
    if resource_instance is not None:
        kind, _, wanted["resource_key"] = resource_instance.partition(":")
        wanted["resource_type"] = kind if resource in {None, kind} else ""
    where = [assignments.c[name] == value for name, value in wanted.items() if value is not None]
    statement = session.query(assignments, *where)
    rows, _ = session.page(statement, paging)
    return [
        {
            "user": row["user_key"],
            "role": row["role"],
            "tenant": row["tenant"],
            **some(resource_instance=_instance_name(row)),
        }
        for row in rows
    ]


def _instance_name(row: Row) -> str | None:
    return None if row["instance_id"] is None else f"{row['resource_type']}:{row['resource_key']}"


def _role(session: Session, ident: str, instance: Row | None) -> Row:
    """A role of the instance's type, or one of tenants. ``type#role`` names the former too."""
    owner = session.environment_id if instance is None else instance["resource_id"]
    kind, hash_sign, key = ident.rpartition("#")
    if hash_sign and (instance is None or resource_of(session, kind)["id"] != instance["resource_id"]):
        raise not_found("Role", ident)
    return session.get(roles, key, "Role", roles.c.owner_id == owner)


def _held(session: Session, body: AssignmentRemove) -> Row | None:
    columns = assignments.c
    where = [
        _is(body.user, columns.user_key, columns.user_id),
        _is(body.tenant, columns.tenant, columns.tenant_id),
        _is(body.role.rpartition("#")[2], columns.role, columns.role_id),
    ]
    if body.resource_instance is None:
        return session.row(session.query(assignments, *where, columns.instance_id.is_(None)))
    instance = find_instance(session, body.resource_instance)
    if instance is None:
        return None
    return session.row(session.query(assignments, *where, columns.instance_id == instance["id"]))


def _is(ident: str, key: ColumnElement[Any], row_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether something is what an id or a key names."""
    known = as_uuid(ident)
    return key == ident if known is None else or_(row_id == known, key == ident)


def _read_detailed(session: Session, rows: Sequence[Row]) -> list[dict[str, Any]]:
    def by_id(table: Any, column: str) -> dict[str, Row]:
        ids = {row[column] for row in rows if row[column]}
        return {each["id"]: each for each in session.all_of(table, table.c.id.in_(ids))}

    people, held = by_id(users, "user_id"), by_id(roles, "role_id")
    where, on = by_id(tenants, "tenant_id"), by_id(instances, "instance_id")
    granted = _permissions(session, set(held))
    answers = []
    for row in rows:
        user, role, tenant, instance = (
            people[row["user_id"]],
            held[row["role_id"]],
            where[row["tenant_id"]],
            on.get(row["instance_id"]),
        )
        answer = {
            "id": row["id"],
            "user": {
                **{name: user[name] for name in ("id", "key", "attributes")},
                **some(email=user["email"], first_name=user["first_name"], last_name=user["last_name"]),
            },
            "role": {
                "id": role["id"],
                "key": role["key"],
                "name": role["body"].get("name") or role["key"],
                "permissions": granted.get(role["id"], []),
            },
            "tenant": {name: tenant[name] for name in ("id", "key", "name", "attributes")},
            **session.ids,
            "created_at": row["created_at"].isoformat(),
        }
        if instance is not None:
            named = {name: instance[name] for name in ("id", "key", "attributes")}
            answer["resource_instance"] = {**named, "resource": instance["type"]}
        answers.append(answer)
    return answers


def _permissions(session: Session, role_ids: set[str]) -> dict[str, list[str]]:
    granted = select(role_permissions).where(role_permissions.c.role_id.in_(role_ids))
    found: dict[str, list[str]] = {}
    for row in session.rows(granted.order_by(role_permissions.c.place)):
        found.setdefault(row["role_id"], []).append(row["written"])
    return found

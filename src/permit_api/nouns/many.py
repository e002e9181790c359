"""Bulk calls: what they name is looked up once for all of them, and written in a few statements.

Writers take turns, so a call that carries ten thousand things must not ask the database ten thousand times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.sql.selectable import NamedFromClause

from permit_api.faults import Unprocessable, duplicate, invalid, not_found
from permit_api.nouns.users import add_user
from permit_api.shapes.facts import AssignmentCreate, InstanceCreate, UserCreate
from permit_api.store.session import Row, Session, as_uuid, new_id
from permit_api.store.tables import assignments, instances, resources, roles, tenants, users
from permit_core.access import OBJECT_KEY, USER_KEY

Place = tuple[str, str]
"""The id of an instance, and of its tenant."""


class _Names:
    """The ids of what an environment has, by id and by key; a key never stands over an id."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.users = self._of(users)
        self.tenants = self._of(tenants)
        self.resources = self._of(resources)
        self.roles: dict[tuple[str, str], str] = {}
        for row in session.connection.execute(_within(session, roles, "id", "key", "owner_id")):
            self.roles.setdefault((row.owner_id, row.key), row.id)
            self.roles[row.owner_id, row.id] = row.id
        self.kinds: dict[str, str] = {}
        self.instances: dict[tuple[str, str], Place] = {}
        self.instances_by_id: dict[str, Place] = {}
        for row in session.connection.execute(_within(session, instances, "id", "key", "resource_id", "tenant_id")):
            self.add_instance(row.id, row.key, row.resource_id, row.tenant_id)

    def add_instance(self, row_id: str, key: str, resource_id: str, tenant_id: str) -> Place:
        """Remember an instance, one that is there or one that is being made."""
        place = row_id, tenant_id
        self.instances[resource_id, key] = self.instances_by_id[row_id] = place
        self.kinds[row_id] = resource_id
        return place

    def _of(self, table: NamedFromClause) -> dict[str, str]:
        rows = self._session.connection.execute(_within(self._session, table, "id", "key")).all()
        return {row.key: row.id for row in rows} | {row.id: row.id for row in rows}


def create_users(session: Session, bodies: Sequence[UserCreate]) -> None:
    """Make users, all or none.

    Raises:
        ApiFault: 409, one of them is there already, or is named twice.
    """
    plain = [body for body in bodies if not body.role_assignments]
    keys = {body.key for body in bodies}
    known = keys & set(session.connection.execute(_within(session, users, "key")).scalars())
    if known or len(keys) < len(bodies):
        raise duplicate("user", min(known) if known else "named twice")
    names = ("email", "first_name", "last_name")
    session.insert_many(
        users,
        "user",
        [
            {"key": body.key, **{name: getattr(body, name) for name in names}, "attributes": body.attributes or {}}
            for body in plain
        ],
    )
    for body in bodies:
        if body.role_assignments:
            add_user(session, body)


def replace_instances(session: Session, bodies: Sequence[InstanceCreate]) -> None:
    """Make instances, or give those that are there the attributes of the body.

    Raises:
        ApiFault: 404, no such tenant or type; 400, one is there in another tenant.
    """
    names = _Names(session)
    fresh: list[dict[str, Any]] = []
    for body in bodies:
        resource, tenant = (
            _known(names.resources, body.resource, "Resource"),
            _known(names.tenants, body.tenant, "Tenant"),
        )
        found = names.instances.get((resource, body.key))
        if found is None:
            row_id = new_id()
            names.add_instance(row_id, body.key, resource, tenant)
            ends = {"resource_id": resource, "tenant_id": tenant}
            fresh.append({"id": row_id, **ends, "key": body.key, "attributes": body.attributes or {}})
        elif found[1] != tenant:
            message = f"{body.resource}:{body.key} belongs to another tenant"
            raise invalid(message, "MISMATCH_RESOURCE_INSTANCES_TENANTS")
        elif "attributes" in body.given():
            same = next((row for row in fresh if row["id"] == found[0]), None)
            if same is not None:
                same["attributes"] = body.attributes or {}
            else:
                session.update(instances, found[0], attributes=body.attributes or {})
    session.insert_many(instances, "resource instance", fresh)


def remove(session: Session, table: NamedFromClause, rows: Iterable[Row]) -> None:
    """Take many things of one kind away, and what belongs to them, in a few statements however many they are."""
    session.delete(table, table.c.id.in_({row["id"] for row in rows}))


def assign_many(session: Session, bodies: Sequence[AssignmentCreate], missing_user: str) -> dict[str, int]:
    """Give many roles, all or none; those that are held already stay, and are not counted.

    Args:
        session: the environment.
        bodies: the roles. An instance that is not there is made, when the tenant is named.
        missing_user: what of a user who is not there: ``fail``, ``ignore`` or ``create``.

    Raises:
        ApiFault: 404, something is not there; 400, an instance is in another tenant than the one that is named.
    """
    names = _Names(session)
    held = {
        (row.user_id, row.role_id, row.place)
        for row in session.connection.execute(_within(session, assignments, "user_id", "role_id", "place"))
    }
    people: list[dict[str, Any]] = []
    things: list[dict[str, Any]] = []
    given: list[dict[str, Any]] = []
    for body in bodies:
        user = names.users.get(body.user)
        if user is None and missing_user == "ignore":
            continue
        if user is None and missing_user == "create":
            user = names.users[body.user] = new_id()
            people.append({"id": user, "key": _fitting(USER_KEY, body.user, "user"), "attributes": {}})
        if user is None:
            raise not_found("User", body.user)
        tenant = None if body.tenant is None else _known(names.tenants, body.tenant, "Tenant")
        instance = None if body.resource_instance is None else _instance(session, names, body, tenant, things)
        tenant = instance[1] if instance is not None else tenant
        if tenant is None:
            raise Unprocessable(("tenant",), "a role is held in a tenant, or on a resource instance: name one of them")
        owner, place = (session.environment_id, tenant) if instance is None else (names.kinds[instance[0]], instance[0])
        role = names.roles.get((owner, body.role.rpartition("#")[2]))
        if role is None:
            raise not_found("Role", body.role)
        if (user, role, place) not in held:
            held.add((user, role, place))
            on = None if instance is None else instance[0]
            given.append({"user_id": user, "role_id": role, "tenant_id": tenant, "instance_id": on, "place": place})
    session.insert_many(users, "user", people)
    session.insert_many(instances, "resource instance", things)
    session.insert_many(assignments, "role assignment", given)
    return {"assignments_created": len(given)}


def _instance(
    session: Session, names: _Names, body: AssignmentCreate, tenant: str | None, things: list[dict[str, Any]]
) -> Place:
    """Where a role is held; made when it is not there and the tenant is named."""
    ident = str(body.resource_instance)
    kind, colon, key = ident.partition(":")
    known = as_uuid(ident)
    if not colon and not known:
        raise invalid(f"a resource instance is named by its id or as resource:key; found {ident!r}")
    resource = names.resources.get(kind) if colon else None
    found = names.instances_by_id.get(known) if known else names.instances.get((str(resource), key))
    if found is None and tenant is not None and resource is not None:
        row = {
            "id": new_id(),
            "resource_id": resource,
            "tenant_id": tenant,
            "key": _fitting(OBJECT_KEY, key, "resource_instance"),
        }
        things.append({**row, "attributes": {}})
        found = names.add_instance(row["id"], key, resource, tenant)
    if found is None:
        raise not_found("ResourceInstance", ident)
    if tenant not in {None, found[1]}:
        raise invalid(f"{ident!r} does not belong to the tenant", "MISMATCH_RESOURCE_INSTANCES_TENANTS")
    return found


def _fitting(pattern: re.Pattern[str], key: str, field: str) -> str:
    if not pattern.match(key):
        raise Unprocessable((field,), "expected a key of the characters that keys are made of")
    return key


def _within(session: Session, table: NamedFromClause, *columns: str) -> Any:
    return select(*(table.c[name] for name in columns)).where(table.c.environment_id == session.environment_id)


def _known(names: dict[str, str], ident: str, what: str) -> str:
    found = names.get(ident) or names.get(as_uuid(ident) or "")
    if found is None:
        raise not_found(what, ident)
    return found

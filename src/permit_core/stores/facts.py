"""Where users, tenants, instances, roles and relationships are kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from permit_core.access import ResourceRef
from permit_core.database import Database, Transaction
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Facts
from permit_core.prepared import Prepared
from permit_core.stores.tables import (
    facts_version,
    relationship_tuples,
    resource_instances,
    role_assignments,
    seeds,
    tenants,
    users,
)

# Built once: they are asked before nearly every decision, and building one takes as long as running it.
_VERSION = Prepared(select(facts_version.c.version, facts_version.c.stamp).where(facts_version.c.id == 1))
_GLANCE = "SELECT version, stamp FROM facts_version WHERE id = 1"
_TENANT_NAME = Prepared(select(tenants.c.name).where(tenants.c.key == bindparam("key")))
_USER = Prepared(select(users).where(users.c.key == bindparam("key")))
_TENANT_ROLES = Prepared(
    select(role_assignments.c.role).where(
        role_assignments.c.user_key == bindparam("user"),
        role_assignments.c.tenant == bindparam("of_tenant"),
        role_assignments.c.resource_type == "",
    )
)
_INSTANCE = select(resource_instances).where(
    resource_instances.c.type == bindparam("type"), resource_instances.c.key == bindparam("key")
)
_ALL_USERS = Prepared(select(users))
_ALL_TENANTS = Prepared(select(tenants.c.key))
_ALL_INSTANCES = Prepared(select(resource_instances))
_ALL_ASSIGNMENTS = Prepared(select(role_assignments))
_ALL_TUPLES = Prepared(select(relationship_tuples))


@dataclass(frozen=True, slots=True)
class FactsVersion:
    """Which state of the facts: two that are equal saw the same facts, also when one of them was rolled back."""

    number: int
    stamp: str


class FactStore:
    """Facts as rows.

    It checks nothing against the policy; every write needs the caller's write transaction, and whoever changes a fact
    calls :meth:`bump` in it.
    """

    async def version(self, transaction: Transaction) -> FactsVersion:
        """The state that this transaction sees."""
        row = await transaction.run_sync(lambda connection: _VERSION.all(connection, {})[0])
        return FactsVersion(row.version, row.stamp)

    def glance(self, database: Database) -> FactsVersion | None:
        """The state that is committed at this moment; None when that cannot be said without waiting."""
        row = database.glance(_GLANCE)
        return None if row is None else FactsVersion(*row)

    async def bump(self, transaction: Transaction) -> None:
        """Tell every process that its snapshot is stale once this transaction is committed."""
        await transaction.execute(
            update(facts_version)
            .where(facts_version.c.id == 1)
            .values(version=facts_version.c.version + 1, stamp=secrets.token_hex(16))
        )

    async def snapshot(self, transaction: Transaction) -> Facts:
        """All facts, as this transaction sees them."""
        return await transaction.run_sync(_snapshot)

    # Reading

    async def tenant_name(self, transaction: Transaction, key: str) -> str | None:
        """The tenant's name, or None when there is no such tenant."""
        found = await transaction.run_sync(lambda connection: _TENANT_NAME.all(connection, {"key": key}))
        return str(found[0].name) if found else None

    async def user(self, transaction: Transaction, key: str) -> User | None:
        """The user, or None."""
        return await transaction.run_sync(_read_user, key)

    async def instance(self, transaction: Transaction, ref: ResourceRef) -> ResourceInstance | None:
        """The instance, whatever its tenant, or None."""
        row = (await transaction.execute(_INSTANCE, {"type": ref.type, "key": ref.key or ""})).one_or_none()
        return None if row is None else _instance(row)

    async def has_assignment(self, transaction: Transaction, assignment: RoleAssignment) -> bool:
        """Whether this very assignment is there."""
        return await _exists(transaction, role_assignments, _assignment_columns(assignment))

    async def has_tuple(self, transaction: Transaction, link: RelationshipTuple) -> bool:
        """Whether this very tuple is there."""
        return await _exists(transaction, relationship_tuples, _tuple_columns(link))

    # Writing

    async def put_tenant(self, transaction: Transaction, key: str, name: str) -> None:
        """Add the tenant, or rename it."""
        await _put(transaction, tenants, {"key": key}, {"name": name})

    async def put_user(self, transaction: Transaction, user: User) -> None:
        """Add the user, or replace what is known of the user."""
        rest = {
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": user.email,
            "attributes": dict(user.attributes),
        }
        await _put(transaction, users, {"key": user.key}, rest)

    async def put_instance(self, transaction: Transaction, instance: ResourceInstance) -> None:
        """Add the instance, or replace its attributes."""
        which = {"type": instance.ref.type, "key": instance.ref.key or ""}
        rest = {"tenant": instance.tenant, "attributes": dict(instance.attributes)}
        await _put(transaction, resource_instances, which, rest)

    async def add_assignment(self, transaction: Transaction, assignment: RoleAssignment) -> None:
        """Add an assignment that is not there."""
        await transaction.execute(insert(role_assignments).values(_assignment_columns(assignment)))

    async def remove_assignment(self, transaction: Transaction, assignment: RoleAssignment) -> None:
        """Remove an assignment."""
        columns = _assignment_columns(assignment)
        await transaction.execute(role_assignments.delete().where(_equal(role_assignments, columns)))

    async def add_tuple(self, transaction: Transaction, link: RelationshipTuple) -> None:
        """Add a tuple that is not there."""
        await transaction.execute(insert(relationship_tuples).values(_tuple_columns(link)))

    async def remove_tuple(self, transaction: Transaction, link: RelationshipTuple) -> None:
        """Remove a tuple."""
        columns = _tuple_columns(link)
        await transaction.execute(relationship_tuples.delete().where(_equal(relationship_tuples, columns)))

    # Seeds

    async def seed_digest(self, transaction: Transaction, name: str) -> str | None:
        """The digest of what was loaded under this name, or None when nothing was yet."""
        query = select(seeds.c.digest).where(seeds.c.name == name)
        return (await transaction.execute(query)).scalar_one_or_none()

    async def mark_seeded(self, transaction: Transaction, name: str, digest: str, now: datetime) -> None:
        """Remember that this was loaded; once."""
        await transaction.execute(insert(seeds).values(name=name, digest=digest, loaded_at=now))


def _snapshot(connection: Connection) -> Facts:
    return Facts.of(
        users=map(_user, _ALL_USERS.all(connection, {})),
        tenants=[row.key for row in _ALL_TENANTS.all(connection, {})],
        instances=map(_instance, _ALL_INSTANCES.all(connection, {})),
        assignments=map(_assignment, _ALL_ASSIGNMENTS.all(connection, {})),
        tuples=map(_tuple, _ALL_TUPLES.all(connection, {})),
    )


# What is asked in nearly every call, as functions for :meth:`permit_core.database.Database.read`.


def read_user_in(connection: Connection, key: str, tenant: str) -> User | None:
    """The user, or None; None as well when there is no such tenant."""
    return _read_user(connection, key) if _TENANT_NAME.all(connection, {"key": tenant}) else None


def _read_user(connection: Connection, key: str) -> User | None:
    found = _USER.all(connection, {"key": key})
    return _user(found[0]) if found else None


def read_tenant_roles(connection: Connection, user: str, tenant: str) -> frozenset[str]:
    """The roles the user holds tenant-wide."""
    return frozenset(row.role for row in _TENANT_ROLES.all(connection, {"user": user, "of_tenant": tenant}))


def _user(row: Row[Any]) -> User:
    return User(row.key, row.first_name, row.last_name, row.email, row.attributes)


def _instance(row: Row[Any]) -> ResourceInstance:
    return ResourceInstance(ResourceRef(row.type, row.key), row.tenant, row.attributes)


def _assignment(row: Row[Any]) -> RoleAssignment:
    resource = ResourceRef(row.resource_type, row.resource_key) if row.resource_type else None
    return RoleAssignment(row.user_key, row.role, row.tenant, resource)


def _tuple(row: Row[Any]) -> RelationshipTuple:
    return RelationshipTuple(
        ResourceRef(row.subject_type, row.subject_key),
        row.relation,
        ResourceRef(row.object_type, row.object_key),
        row.tenant,
    )


def _assignment_columns(assignment: RoleAssignment) -> dict[str, str]:
    resource = assignment.resource
    return {
        "user_key": assignment.user,
        "role": assignment.role,
        "tenant": assignment.tenant,
        "resource_type": "" if resource is None else resource.type,
        "resource_key": "" if resource is None else resource.key or "",
    }


def _tuple_columns(link: RelationshipTuple) -> dict[str, str]:
    return {
        "subject_type": link.subject.type,
        "subject_key": link.subject.key or "",
        "relation": link.relation,
        "object_type": link.object.type,
        "object_key": link.object.key or "",
        "tenant": link.tenant,
    }


def _equal(table: Table, columns: dict[str, str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in columns.items()))


async def _exists(transaction: Transaction, table: Table, columns: dict[str, str]) -> bool:
    query = select(func.count()).select_from(table).where(_equal(table, columns))
    return int((await transaction.execute(query)).scalar_one()) > 0


async def _put(transaction: Transaction, table: Table, which: dict[str, str], rest: dict[str, Any]) -> None:
    """Update the row or add it. Writers take turns, so nothing comes between the two statements."""
    changed = await transaction.execute(update(table).where(_equal(table, which)).values(rest))
    if changed.rowcount == 0:
        await transaction.execute(insert(table).values({**which, **rest}))

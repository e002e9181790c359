"""Where users, tenants, instances, roles and relationships are kept."""

from __future__ import annotations

import gc
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from permit_core.access import ResourceRef
from permit_core.clock import utc_now
from permit_core.database import Database, Transaction
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Entry, FactChange, Facts
from permit_core.prepared import Prepared
from permit_core.stores.fact_rows import (
    assignment_columns,
    assignment_of,
    change_of,
    change_row,
    instance_columns,
    instance_of,
    place_of,
    tuple_columns,
    tuple_of,
    user_columns,
    user_of,
)
from permit_core.stores.tables import (
    environments,
    fact_changes,
    relationship_tuples,
    resource_instances,
    role_assignments,
    seeds,
    tenants,
    users,
)

# Built once: they are asked before nearly every decision, and building one takes as long as running it.
_OF: BindParameter[str] = bindparam("environment")
_VERSION = Prepared(select(environments.c.facts_version, environments.c.facts_stamp).where(environments.c.key == _OF))
_PEEK = "SELECT facts_version, facts_stamp FROM environments WHERE key = ?"
_PEEK_CHANGE = "SELECT previous_stamp, changes FROM fact_changes WHERE environment = ? AND version = ?"
_CHANGES = Prepared(
    select(fact_changes.c.version, fact_changes.c.previous_stamp, fact_changes.c.changes)
    .where(fact_changes.c.environment == _OF, fact_changes.c.version > bindparam("after"))
    .order_by(fact_changes.c.version)
)
_TENANT_NAME = Prepared(select(tenants.c.name).where(tenants.c.environment == _OF, tenants.c.key == bindparam("key")))


_BESIDES = {"id", "created_at", "updated_at"}


def _deciding(table: Table) -> Select[Any]:
    """What decisions are made on, of the rows of a table in an environment."""
    columns = [column for column in table.c if column.name not in _BESIDES]
    return select(*columns).where(table.c.environment == _OF)


_USER = Prepared(_deciding(users).where(users.c.key == bindparam("key")))
_TENANT_ROLES = Prepared(
    select(role_assignments.c.role).where(
        role_assignments.c.environment == _OF,
        role_assignments.c.user_key == bindparam("user"),
        role_assignments.c.tenant == bindparam("of_tenant"),
        role_assignments.c.resource_type == "",
        role_assignments.c.asleep_since.is_(None),
        or_(role_assignments.c.expires_at.is_(None), role_assignments.c.expires_at > bindparam("now")),
    )
)
_INSTANCE = _deciding(resource_instances).where(
    resource_instances.c.type == bindparam("type"),
    resource_instances.c.key == bindparam("key"),
)
_ALL_USERS = Prepared(_deciding(users))
_ALL_TENANTS = Prepared(select(tenants.c.key).where(tenants.c.environment == _OF))
_ALL_INSTANCES = Prepared(_deciding(resource_instances))
_ALL_ASSIGNMENTS = Prepared(_deciding(role_assignments).where(role_assignments.c.asleep_since.is_(None)))
_ALL_TUPLES = Prepared(_deciding(relationship_tuples).where(relationship_tuples.c.asleep_since.is_(None)))

KEPT_CHANGES = 1000
"""How many states back a snapshot may be and is still patched."""

MOST_GLANCES = 3
"""How many states back a snapshot may be and is patched without waiting."""

MOST_CHANGES = 500
"""More changes than this are not told one by one: all facts are read again."""


@dataclass(frozen=True, slots=True)
class FactsVersion:
    """Which state of the facts: two that are equal saw the same facts, also when one of them was rolled back."""

    number: int
    stamp: str


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """All rows of an environment at one moment, not indexed yet."""

    users: list[User]
    tenants: list[str]
    instances: list[ResourceInstance]
    assignments: list[RoleAssignment]
    tuples: list[RelationshipTuple]

    def indexed(self, now: datetime) -> Facts:
        """The facts that count at ``now``; takes half a second for a hundred thousand."""
        counting = [each for each in self.assignments if each.expires_at is None or each.expires_at > now]
        return Facts.of(self.users, self.tenants, self.instances, counting, self.tuples)


MANY_OBJECTS = 20_000
"""So many new objects make the collector's next looks long enough to be felt."""

_collecting = Lock()
_paused = [0, False]


@contextmanager
def collector_resting() -> Iterator[None]:
    """Have Python's collector of cycles rest while facts are read or made, in whatever thread.

    Many facts are no garbage, and looking through them again and again holds everybody for half a second each time. What
    was made is therefore not looked through afterwards either; it goes, as nearly everything does, with its last reference.
    """
    with _collecting:
        if not _paused[0]:
            _paused[1] = gc.isenabled()
            gc.disable()
        _paused[0] += 1
    try:
        yield
    finally:
        with _collecting:
            _paused[0] -= 1
            if not _paused[0]:
                if gc.get_count()[0] >= MANY_OBJECTS:
                    gc.freeze()
                if _paused[1]:
                    gc.enable()


class FactStore:
    """Facts as rows, of one environment each time.

    It checks nothing against the policy; every write needs the caller's write transaction, and whoever changes facts
    calls :meth:`bump` in it with what was changed.
    """

    async def are_few(self, environment: str, transaction: Transaction, most: int) -> bool:
        """Whether an environment has at most so many users, instances and relationships of each."""
        for table in (users, resource_instances, relationship_tuples):
            query = select(table.c.environment).where(table.c.environment == environment).offset(most).limit(1)
            if (await transaction.execute(query)).first() is not None:
                return False
        return True

    async def version(self, environment: str, transaction: Transaction) -> FactsVersion:
        """The state that this transaction sees; number 0 for an environment in which nothing was written yet."""
        return await transaction.run_sync(_read_version, environment)

    def peek(self, environment: str, database: Database) -> FactsVersion | None:
        """The state that is committed at this moment; None when that cannot be said without waiting."""
        row = database.peek(_PEEK, (environment,))
        return None if row is None else FactsVersion(*row)

    def peek_changes(
        self, environment: str, database: Database, since: FactsVersion, until: FactsVersion
    ) -> list[FactChange] | None:
        """How one committed state became a later one; None when that cannot be said without waiting, or is much."""
        if not 0 < until.number - since.number <= MOST_GLANCES:
            return None
        found: list[FactChange] = []
        stamp: str | None = since.stamp
        for number in range(since.number + 1, until.number + 1):
            row = database.peek(_PEEK_CHANGE, (environment, number))
            if row is None or row[1] is None or stamp not in {None, row[0]}:
                return None
            found += [change_of(each) for each in json.loads(row[1])]
            stamp = None  # rows that follow each other are those of one history
        return found

    async def changes(
        self, environment: str, transaction: Transaction, since: FactsVersion
    ) -> tuple[FactsVersion, list[FactChange] | None]:
        """The state that this transaction sees, and how the one of ``since`` became it, in order.

        The changes are None when that cannot be said: too much has happened, or ``since`` was rolled back.
        """
        return await transaction.run_sync(_read_changes, environment, since)

    async def bump(
        self, environment: str, transaction: Transaction, changes: Sequence[FactChange] | None, now: datetime
    ) -> None:
        """Tell every process that its snapshot is stale once this transaction is committed, and how to patch it.

        Args:
            environment: whose facts.
            transaction: a write transaction.
            changes: what was changed, in order; None has all facts read again.
            now: when the environment began, if this is its first fact.
        """
        await transaction.run_sync(bump_now, environment, changes, now)

    async def stored(self, environment: str, transaction: Transaction) -> StoredFacts:
        """All rows, as this transaction sees them."""
        return await transaction.run_sync(_read_all, environment)

    async def snapshot(self, environment: str, transaction: Transaction, now: datetime | None = None) -> Facts:
        """All facts that count now, as this transaction sees them."""
        return (await self.stored(environment, transaction)).indexed(now or utc_now())

    # Reading

    async def tenant_name(self, environment: str, transaction: Transaction, key: str) -> str | None:
        """The tenant's name, or None when there is no such tenant."""
        values = {"environment": environment, "key": key}
        found = await transaction.run_sync(lambda connection: _TENANT_NAME.all(connection, values))
        return str(found[0].name) if found else None

    async def user(self, environment: str, transaction: Transaction, key: str) -> User | None:
        """The user, or None."""
        return await transaction.run_sync(_read_user, environment, key)

    async def instance(self, environment: str, transaction: Transaction, ref: ResourceRef) -> ResourceInstance | None:
        """The instance, whatever its tenant, or None."""
        values = {"environment": environment, "type": ref.type, "key": ref.key or ""}
        row = (await transaction.execute(_INSTANCE, values)).one_or_none()
        return None if row is None else instance_of(row)

    async def assignment(
        self, environment: str, transaction: Transaction, assignment: RoleAssignment
    ) -> RoleAssignment | None:
        """The assignment of this role as it is kept, with its own end; None when there is none that is awake."""
        which = {"environment": environment, **assignment_columns(assignment)}
        awake = role_assignments.c.asleep_since.is_(None)
        row = (
            await transaction.execute(select(role_assignments).where(_equal(role_assignments, which), awake))
        ).one_or_none()
        return None if row is None else assignment_of(row)

    async def has_tuple(self, environment: str, transaction: Transaction, link: RelationshipTuple) -> bool:
        """Whether this very tuple is there and awake."""
        which = {"environment": environment, **tuple_columns(link)}
        awake = relationship_tuples.c.asleep_since.is_(None)
        query = select(func.count()).select_from(relationship_tuples).where(_equal(relationship_tuples, which), awake)
        return int((await transaction.execute(query)).scalar_one()) > 0

    async def around(
        self, environment: str, transaction: Transaction, ref: ResourceRef
    ) -> tuple[list[RoleAssignment], list[RelationshipTuple]]:
        """The roles on an instance and the tuples with it at either end."""
        given, links = role_assignments.c, relationship_tuples.c
        roles = select(role_assignments).where(
            given.environment == environment, given.resource_type == ref.type, given.resource_key == ref.key
        )
        tuples = select(relationship_tuples).where(
            links.environment == environment,
            or_(
                and_(links.subject_type == ref.type, links.subject_key == ref.key),
                and_(links.object_type == ref.type, links.object_key == ref.key),
            ),
        )
        return (
            [assignment_of(row) for row in await transaction.execute(roles)],
            [tuple_of(row) for row in await transaction.execute(tuples)],
        )

    async def roles_of(self, environment: str, transaction: Transaction, user: str) -> list[RoleAssignment]:
        """All roles of a user, in every tenant."""
        which = {"environment": environment, "user_key": user}
        rows = await transaction.execute(select(role_assignments).where(_equal(role_assignments, which)))
        return [assignment_of(row) for row in rows]

    async def roles_in(self, environment: str, transaction: Transaction, tenant: str) -> list[RoleAssignment]:
        """All roles in a tenant."""
        which = {"environment": environment, "tenant": tenant}
        rows = await transaction.execute(select(role_assignments).where(_equal(role_assignments, which)))
        return [assignment_of(row) for row in rows]

    async def given_roles(self, environment: str, transaction: Transaction) -> set[tuple[str, str]]:
        """Each role that somebody holds, as (type, role); the type of a tenant-wide one is ``""``."""
        columns = role_assignments.c
        query = select(columns.resource_type, columns.role).distinct()
        rows = await transaction.execute(
            query.where(columns.environment == environment, columns.asleep_since.is_(None))
        )
        return {(row.resource_type, row.role) for row in rows}

    async def fall_asleep(
        self, environment: str, transaction: Transaction, resource_type: str, role: str, now: datetime
    ) -> list[RoleAssignment]:
        """Let all grants of a role sleep; those that did not sleep before."""
        which = {"environment": environment, "resource_type": resource_type, "role": role}
        awake = and_(_equal(role_assignments, which), role_assignments.c.asleep_since.is_(None))
        found = [assignment_of(row) for row in await transaction.execute(select(role_assignments).where(awake))]
        await transaction.execute(update(role_assignments).where(awake).values(asleep_since=now))
        return found

    async def sleepers(self, environment: str, transaction: Transaction) -> list[tuple[RoleAssignment, datetime]]:
        """The grants that sleep, and since when; by user."""
        columns = role_assignments.c
        query = select(role_assignments).where(columns.environment == environment, columns.asleep_since.is_not(None))
        rows = await transaction.execute(query.order_by(columns.user_key, columns.role, columns.resource_key))
        return [(assignment_of(row), row.asleep_since) for row in rows]

    async def used_relations(self, environment: str, transaction: Transaction) -> set[tuple[str, str, str]]:
        """Each relation that things stand in, as (type of the object, relation, type of the subject)."""
        columns = relationship_tuples.c
        query = select(columns.object_type, columns.relation, columns.subject_type).distinct()
        rows = await transaction.execute(
            query.where(columns.environment == environment, columns.asleep_since.is_(None))
        )
        return {(row.object_type, row.relation, row.subject_type) for row in rows}

    async def relationships_fall_asleep(
        self, environment: str, transaction: Transaction, relation: tuple[str, str, str], now: datetime
    ) -> list[RelationshipTuple]:
        """Let all tuples of a relation between two types sleep; those that did not sleep before."""
        kinds = dict(zip(("object_type", "relation", "subject_type"), relation, strict=True))
        which = _equal(relationship_tuples, {"environment": environment, **kinds})
        awake = and_(which, relationship_tuples.c.asleep_since.is_(None))
        found = [tuple_of(row) for row in await transaction.execute(select(relationship_tuples).where(awake))]
        await transaction.execute(update(relationship_tuples).where(awake).values(asleep_since=now))
        return found

    async def sleeping_relations(
        self, environment: str, transaction: Transaction
    ) -> list[tuple[tuple[str, str, str], int, datetime]]:
        """Each relation whose tuples sleep, how many, and since when."""
        columns = relationship_tuples.c
        kinds = (columns.object_type, columns.relation, columns.subject_type)
        query = select(*kinds, func.count().label("many"), func.max(columns.asleep_since).label("since"))
        asleep = query.where(columns.environment == environment, columns.asleep_since.is_not(None))
        rows = await transaction.execute(asleep.group_by(*kinds).order_by(*kinds))
        return [((row.object_type, row.relation, row.subject_type), row.many, row.since) for row in rows]

    # Writing

    async def put_tenant(self, environment: str, transaction: Transaction, key: str, name: str) -> None:
        """Add the tenant, or rename it."""
        await _put(transaction, tenants, {"environment": environment, "key": key}, {"name": name})

    async def put_user(self, environment: str, transaction: Transaction, user: User) -> None:
        """Add the user, or replace what is known of the user."""
        row = user_columns(user)
        await _put(transaction, users, {"environment": environment, "key": row.pop("key")}, row)

    async def put_instance(self, environment: str, transaction: Transaction, instance: ResourceInstance) -> None:
        """Add the instance, or replace its attributes."""
        row = instance_columns(instance)
        which = {"environment": environment, "type": row.pop("type"), "key": row.pop("key")}
        await _put(transaction, resource_instances, which, row)

    async def put_assignment(self, environment: str, transaction: Transaction, assignment: RoleAssignment) -> None:
        """Add the assignment, or give it another end; one that slept is awake."""
        which = {"environment": environment, **assignment_columns(assignment)}
        await _put(transaction, role_assignments, which, {"expires_at": assignment.expires_at, "asleep_since": None})

    async def add_tuple(self, environment: str, transaction: Transaction, link: RelationshipTuple) -> None:
        """Add a tuple that is not there; one that slept is awake."""
        which = {"environment": environment, **tuple_columns(link)}
        await _put(transaction, relationship_tuples, which, {"asleep_since": None})

    async def remove(self, environment: str, transaction: Transaction, entry: Entry) -> bool:
        """Remove one entry, and nothing that belongs to it; whether it was there."""
        table, which = place_of(entry)
        gone = table.delete().where(_equal(table, {"environment": environment, **which}))
        return (await transaction.execute(gone)).rowcount == 1

    async def remove_in_tenant(self, environment: str, transaction: Transaction, tenant: str) -> dict[str, int]:
        """Remove everything that a tenant has, not the tenant; how many rows of each table."""
        removed = {}
        for table in (relationship_tuples, role_assignments, resource_instances):
            gone = table.delete().where(table.c.environment == environment, table.c.tenant == tenant)
            removed[table.name] = (await transaction.execute(gone)).rowcount
        return removed

    async def add_new(
        self, environment: str, transaction: Transaction, stored: StoredFacts, names: Mapping[str, str]
    ) -> dict[str, int]:
        """Add what is not there, many rows at a time; what is there stays as it is. How many were new, by table.

        Args:
            environment: where.
            transaction: a write transaction.
            stored: what is to be there.
            names: the tenants' names by key.
        """
        # One after another, so that they are made where they are written: in the database's thread.
        rows: list[tuple[Table, Iterator[Mapping[str, Any]]]] = [
            (tenants, ({"key": key, "name": names[key]} for key in stored.tenants)),
            (users, map(user_columns, stored.users)),
            (resource_instances, map(instance_columns, stored.instances)),
            (relationship_tuples, map(tuple_columns, stored.tuples)),
            (
                role_assignments,
                (
                    {**assignment_columns(each), "expires_at": each.expires_at, "asleep_since": None}
                    for each in stored.assignments
                ),
            ),
        ]
        return {
            table.name: added
            for table, of_table in rows
            if (added := await transaction.run_sync(_add_new, table, environment, of_table)) is not None
        }

    # Seeds

    async def seed_digest(self, environment: str, transaction: Transaction, name: str) -> str | None:
        """The digest of what was loaded under this name, or None when nothing was yet."""
        query = select(seeds.c.digest).where(seeds.c.environment == environment, seeds.c.name == name)
        return (await transaction.execute(query)).scalar_one_or_none()

    async def mark_seeded(
        self, environment: str, transaction: Transaction, name: str, digest: str, now: datetime
    ) -> None:
        """Remember that this was loaded; once."""
        row = {"environment": environment, "name": name, "digest": digest, "loaded_at": now}
        await transaction.execute(insert(seeds).values(row))


def bump_now(connection: Connection, environment: str, changes: Sequence[FactChange] | None, now: datetime) -> None:
    """:meth:`FactStore.bump` for a function that :meth:`permit_core.database.Database.write` runs."""
    before = _read_version(connection, environment)
    number, stamp = before.number + 1, secrets.token_hex(16)
    state = {"facts_version": number, "facts_stamp": stamp}
    known = environments.c.key == environment
    if connection.execute(update(environments).where(known).values(state)).rowcount == 0:
        first = {"key": environment, "name": "", "created_at": now}
        connection.execute(insert(environments).values({**first, **state}))
    told = None if changes is None or len(changes) > MOST_CHANGES else [change_row(each) for each in changes]
    row = {"environment": environment, "version": number, "previous_stamp": before.stamp}
    connection.execute(insert(fact_changes).values({**row, "changes": null() if told is None else told}))
    old = and_(fact_changes.c.environment == environment, fact_changes.c.version <= number - KEPT_CHANGES)
    connection.execute(fact_changes.delete().where(old))


def forget_now(connection: Connection, environment: str) -> None:
    """Take away all facts of an environment, and what is kept of their states."""
    for table in (relationship_tuples, role_assignments, resource_instances, users, tenants, fact_changes):
        connection.execute(table.delete().where(table.c.environment == environment))
    connection.execute(environments.delete().where(environments.c.key == environment))


def _read_version(connection: Connection, environment: str) -> FactsVersion:
    found = _VERSION.all(connection, {"environment": environment})
    return FactsVersion(found[0].facts_version, found[0].facts_stamp) if found else FactsVersion(0, "")


def _read_changes(
    connection: Connection, environment: str, since: FactsVersion
) -> tuple[FactsVersion, list[FactChange] | None]:
    now = _read_version(connection, environment)
    if now == since:
        return now, []
    found = _CHANGES.all(connection, {"environment": environment, "after": since.number})
    whole = bool(found) and found[0].version == since.number + 1 and found[0].previous_stamp == since.stamp
    if not whole or any(row.changes is None for row in found):
        return now, None
    return now, [change_of(row) for each in found for row in each.changes]


def _read_all(connection: Connection, environment: str) -> StoredFacts:
    of = {"environment": environment}
    return StoredFacts(
        users=[user_of(row) for row in _ALL_USERS.all(connection, of)],
        tenants=[row.key for row in _ALL_TENANTS.all(connection, of)],
        instances=[instance_of(row) for row in _ALL_INSTANCES.all(connection, of)],
        assignments=[assignment_of(row) for row in _ALL_ASSIGNMENTS.all(connection, of)],
        tuples=[tuple_of(row) for row in _ALL_TUPLES.all(connection, of)],
    )


def _add_new(connection: Connection, table: Table, environment: str, rows: Iterator[Mapping[str, Any]]) -> int | None:
    """How many were new; None when there is nothing to add."""
    filled = [{"environment": environment, **row} for row in rows]
    if not filled:
        return None
    before = connection.execute(select(func.count()).select_from(table)).scalar_one()
    adding = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    connection.execute(adding(table).on_conflict_do_nothing(), filled)
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one() - before)


# What is asked in nearly every call, as functions for :meth:`permit_core.database.Database.read`.


def read_user_in(connection: Connection, environment: str, tenant: str, key: str) -> User | None:
    """The user, or None; None as well when there is no such tenant."""
    there = _TENANT_NAME.all(connection, {"environment": environment, "key": tenant})
    return _read_user(connection, environment, key) if there else None


def _read_user(connection: Connection, environment: str, key: str) -> User | None:
    found = _USER.all(connection, {"environment": environment, "key": key})
    return user_of(found[0]) if found else None


def read_tenant_roles(
    connection: Connection, environment: str, tenant: str, user: str, now: datetime
) -> frozenset[str]:
    """The roles the user holds tenant-wide at ``now``."""
    values = {"environment": environment, "user": user, "of_tenant": tenant, "now": now}
    return frozenset(row.role for row in _TENANT_ROLES.all(connection, values))


def _equal(table: Table, columns: dict[str, str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in columns.items()))


async def _put(
    transaction: Transaction,
    table: Table,
    which: dict[str, str],
    rest: dict[str, Any],
    at_first: dict[str, Any] | None = None,
) -> None:
    """Update the row or add it. Writers take turns, so nothing comes between the two statements."""
    changed = await transaction.execute(update(table).where(_equal(table, which)).values(rest))
    if changed.rowcount == 0:
        await transaction.execute(insert(table).values({**which, **rest, **(at_first or {})}))

"""Facts as rows of the tables, and changes of them as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Table

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Entry, FactChange
from permit_core.stores.tables import relationship_tuples, resource_instances, role_assignments, tenants, users


def entry_of(table: Table, row: Any) -> Entry:
    """The fact that a row of one of the tables says."""
    return _ENTRIES[table](row)


def user_of(row: Any) -> User:
    """The user of a row."""
    return User(row.key, row.first_name or "", row.last_name or "", row.email or "", row.attributes)


def instance_of(row: Any) -> ResourceInstance:
    """The instance of a row."""
    return ResourceInstance(ResourceRef(row.type, row.key), row.tenant, row.attributes)


def assignment_of(row: Any) -> RoleAssignment:
    """The role of a row."""
    resource = ResourceRef(row.resource_type, row.resource_key) if row.resource_type else None
    return RoleAssignment(row.user_key, row.role, row.tenant, resource, row.expires_at)


def tuple_of(row: Any) -> RelationshipTuple:
    """The relationship of a row."""
    return RelationshipTuple(
        ResourceRef(row.subject_type, row.subject_key),
        row.relation,
        ResourceRef(row.object_type, row.object_key),
        row.tenant,
    )


_ENTRIES: Mapping[Table, Callable[[Any], Entry]] = {
    users: user_of,
    tenants: lambda row: str(row.key),
    resource_instances: instance_of,
    role_assignments: assignment_of,
    relationship_tuples: tuple_of,
}


def user_columns(user: User) -> dict[str, Any]:
    """A user as a row; what is not known is NULL."""
    return {
        "key": user.key,
        "first_name": user.first_name or None,
        "last_name": user.last_name or None,
        "email": user.email or None,
        "attributes": dict(user.attributes),
    }


def instance_columns(instance: ResourceInstance) -> dict[str, Any]:
    """An instance as a row."""
    return {
        "type": instance.ref.type,
        "key": instance.ref.key or "",
        "tenant": instance.tenant,
        "attributes": dict(instance.attributes),
    }


def place_of(entry: Entry) -> tuple[Table, dict[str, str]]:
    """The table of an entry, and its key there."""
    if isinstance(entry, str):
        return tenants, {"key": entry}
    if isinstance(entry, User):
        return users, {"key": entry.key}
    if isinstance(entry, ResourceInstance):
        return resource_instances, {"type": entry.ref.type, "key": entry.ref.key or ""}
    if isinstance(entry, RoleAssignment):
        return role_assignments, assignment_columns(entry)
    return relationship_tuples, tuple_columns(entry)


def assignment_columns(assignment: RoleAssignment) -> dict[str, str]:
    """The key of a role's row."""
    resource = assignment.resource
    return {
        "user_key": assignment.user,
        "role": assignment.role,
        "tenant": assignment.tenant,
        "resource_type": "" if resource is None else resource.type,
        "resource_key": "" if resource is None else resource.key or "",
    }


def tuple_columns(link: RelationshipTuple) -> dict[str, str]:
    """A relationship as a row."""
    return {
        "subject_type": link.subject.type,
        "subject_key": link.subject.key or "",
        "relation": link.relation,
        "object_type": link.object.type,
        "object_key": link.object.key or "",
        "tenant": link.tenant,
    }


# A change as a row of JSON: what it is, then its columns; a removed one has a minus before what it is.


def change_row(change: FactChange) -> list[Any]:
    """A change as a row of JSON."""
    entry = change.entry
    kind: str
    values: dict[str, Any]
    if isinstance(entry, str):
        kind, values = "tenant", {"key": entry}
    elif isinstance(entry, User):
        kind, values = "user", user_columns(entry)
    elif isinstance(entry, ResourceInstance):
        kind, values = "instance", instance_columns(entry)
    elif isinstance(entry, RoleAssignment):
        ends = None if entry.expires_at is None else entry.expires_at.isoformat()
        kind, values = "role", {**assignment_columns(entry), "expires_at": ends}
    else:
        kind, values = "tuple", dict(tuple_columns(entry))
    return [f"-{kind}" if change.removed else kind, values]


def change_of(row: list[Any]) -> FactChange:
    """The change of such a row."""
    kind, values = row[0].removeprefix("-"), SimpleNamespace(**row[1])
    entry: Entry
    if kind == "tenant":
        entry = values.key
    elif kind == "user":
        entry = user_of(values)
    elif kind == "instance":
        entry = instance_of(values)
    elif kind == "role":
        if values.expires_at is not None:
            values.expires_at = datetime.fromisoformat(values.expires_at)
        entry = assignment_of(values)
    else:
        entry = tuple_of(values)
    return FactChange(entry, removed=row[0].startswith("-"))

"""The first schema of the Permit-compatible server."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The tables as they were at this revision; those of the program may be others by now.
metadata = MetaData()


def _id() -> Column[Any]:
    return Column("id", String(36), primary_key=True)


def _to(table: str, name: str, *, nullable: bool = False) -> Column[Any]:
    target = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(name, String(36), target, nullable=nullable, index=True)


def _key() -> Column[Any]:
    return Column("key", String(100), nullable=False)


def _json(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, default=False)


def _times() -> tuple[Column[Any], Column[Any]]:
    return Column("created_at", DateTime(timezone=True), nullable=False), Column(
        "updated_at", DateTime(timezone=True), nullable=False
    )


def _table(name: str, *columns: Any) -> Table:
    return Table(name, metadata, _id(), _to("environments", "environment_id"), *columns, *_times())


organizations = Table("organizations", metadata, _id(), _key(), *_times())

projects = Table(
    "projects",
    metadata,
    _id(),
    _to("organizations", "organization_id"),
    _key(),
    _json("body"),
    *_times(),
    UniqueConstraint("organization_id", "key"),
)

environments = Table(
    "environments",
    metadata,
    _id(),
    _to("organizations", "organization_id"),
    _to("projects", "project_id"),
    _key(),
    _json("body"),
    Column("schema_version", Integer, nullable=False),
    Column("facts_version", Integer, nullable=False),
    *_times(),
    UniqueConstraint("project_id", "key"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _to("organizations", "organization_id"),
    _to("projects", "project_id", nullable=True),
    _to("environments", "environment_id", nullable=True),
    Column("handle", String(32), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("name", String(200)),
    Column("access_level", String(10), nullable=False),
    Column("owner_type", String(20), nullable=False),
    *_times(),
)

resources = _table("resources", _key(), _json("body"), _flag("built_in"), UniqueConstraint("environment_id", "key"))
actions = _table(
    "actions", _to("resources", "resource_id"), _key(), _json("body"), UniqueConstraint("resource_id", "key")
)
action_groups = _table(
    "action_groups", _to("resources", "resource_id"), _key(), _json("body"), UniqueConstraint("resource_id", "key")
)
attributes = _table(
    "attributes",
    _to("resources", "resource_id"),
    _key(),
    _json("body"),
    _flag("built_in"),
    UniqueConstraint("resource_id", "key"),
)
relations = _table(
    "relations",
    _to("resources", "resource_id"),
    _to("resources", "subject_resource_id"),
    _key(),
    _json("body"),
    UniqueConstraint("resource_id", "key"),
)

roles = _table(
    "roles",
    _to("resources", "resource_id", nullable=True),
    Column("owner_id", String(36), nullable=False),
    _key(),
    _json("body"),
    _flag("no_direct_roles"),
    UniqueConstraint("owner_id", "key"),
)
role_permissions = Table(
    "role_permissions",
    metadata,
    Column("role_id", String(36), ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("action_id", String(36), ForeignKey("actions.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("place", Integer, nullable=False),
    Column("written", String(201), nullable=False),
)
role_extends = Table(
    "role_extends",
    metadata,
    Column("role_id", String(36), ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("base_id", String(36), ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("place", Integer, nullable=False),
)
derivations = _table(
    "derivations",
    _to("roles", "role_id"),
    _to("roles", "source_role_id"),
    _to("relations", "relation_id"),
    _flag("no_direct_roles"),
    UniqueConstraint("role_id", "source_role_id", "relation_id"),
)
condition_sets = _table(
    "condition_sets",
    _key(),
    Column("type", String(12), nullable=False),
    _to("resources", "resource_id", nullable=True),
    _to("condition_sets", "parent_id", nullable=True),
    _json("body"),
    UniqueConstraint("environment_id", "key"),
)
set_rules = _table(
    "set_rules",
    Column("user_set", String(201), nullable=False),
    Column("permission", String(201), nullable=False),
    Column("resource_set", String(100), nullable=False),
    _flag("is_role"),
    _flag("is_resource"),
    _to("condition_sets", "user_set_id", nullable=True),
    _to("roles", "role_id", nullable=True),
    _to("actions", "action_id"),
    _to("condition_sets", "resource_set_id", nullable=True),
    _to("resources", "resource_id", nullable=True),
    UniqueConstraint("environment_id", "user_set", "permission", "resource_set", "is_role", "is_resource"),
)

users = _table(
    "users",
    _key(),
    Column("email", String(320)),
    Column("first_name", String(200)),
    Column("last_name", String(200)),
    _json("attributes"),
    UniqueConstraint("environment_id", "key"),
)
tenants = _table(
    "tenants",
    _key(),
    Column("name", String(200), nullable=False),
    Column("description", Text),
    _json("attributes"),
    Column("last_action_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("environment_id", "key"),
)
members = _table(
    "members", _to("users", "user_id"), _to("tenants", "tenant_id"), UniqueConstraint("user_id", "tenant_id")
)
instances = _table(
    "instances",
    _to("resources", "resource_id"),
    _to("tenants", "tenant_id"),
    _key(),
    _json("attributes"),
    UniqueConstraint("resource_id", "key"),
)

assignments = _table(
    "assignments",
    _to("users", "user_id"),
    _to("roles", "role_id"),
    _to("tenants", "tenant_id"),
    _to("instances", "instance_id", nullable=True),
    Column("place", String(36), nullable=False),
    UniqueConstraint("user_id", "role_id", "place"),
)
tuples = _table(
    "tuples",
    _to("instances", "subject_id"),
    _to("relations", "relation_id"),
    _to("instances", "object_id"),
    _to("tenants", "tenant_id"),
    UniqueConstraint("subject_id", "relation_id", "object_id"),
)
invites = _table(
    "invites",
    _key(),
    Column("status", String(10), nullable=False),
    Column("email", String(320), nullable=False),
    Column("first_name", String(200), nullable=False),
    Column("last_name", String(200), nullable=False),
    _to("roles", "role_id"),
    _to("tenants", "tenant_id"),
    _to("instances", "resource_instance_id"),
    UniqueConstraint("environment_id", "key"),
)

elements = _table(
    "elements",
    _key(),
    Column("elements_type", String(20), nullable=False),
    _to("resources", "resource_id", nullable=True),
    _json("body"),
    UniqueConstraint("environment_id", "key"),
)
element_levels = Table(
    "element_levels",
    metadata,
    Column("element_id", String(36), ForeignKey("elements.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", String(36), ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("level", String(12), nullable=False),
)
requests = _table(
    "requests",
    _to("elements", "element_id"),
    Column("kind", String(20), nullable=False),
    _to("users", "user_id"),
    _to("tenants", "tenant_id"),
    _to("resources", "resource_id", nullable=True),
    _to("instances", "instance_id", nullable=True),
    _to("roles", "role_id", nullable=True),
    Column("reason", Text),
    Column("status", String(10), nullable=False),
    Column("reviewer_id", String(36), ForeignKey("users.id", ondelete="SET NULL")),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("reviewer_comment", Text),
    Index("ix_requests_listing", "environment_id", "kind", "status"),
)

logins = _table(
    "logins",
    _to("users", "user_id"),
    _to("tenants", "tenant_id"),
    Column("digest", String(64), nullable=False, unique=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind(), checkfirst=False)

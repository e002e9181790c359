"""The tables of the server. What changes here needs a new migration; ``migrations/`` is what really makes them.

Every object has an ``id`` (a UUID in its 36 characters) and, where people name it, a ``key`` that is unique within what
it belongs to. Whatever belongs to something else goes with it: the foreign keys cascade.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    case,
    func,
    select,
)
from sqlalchemy.sql.selectable import NamedFromClause

from permit_core.stores import tables as core
from permit_core.stores.tables import UtcDateTime

metadata = MetaData()

PREFIX = "api_"
"""What the names of these tables begin with: they lie in one database with those of the core."""


def _id() -> Column[Any]:
    return Column("id", String(36), primary_key=True)


def _to(table: str, name: str, *, nullable: bool = False) -> Column[Any]:
    """A reference; the row goes when what it refers to goes."""
    target = ForeignKey(f"{PREFIX}{table}.id", ondelete="CASCADE")
    return Column(name, String(36), target, nullable=nullable, index=True)


def _key() -> Column[Any]:
    return Column("key", String(100), nullable=False)


def _json(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, default=False)


def _times() -> tuple[Column[Any], Column[Any]]:
    return Column("created_at", UtcDateTime, nullable=False), Column("updated_at", UtcDateTime, nullable=False)


def _table(name: str, *columns: Any) -> Table:
    """A table of things that belong to one environment."""
    return Table(PREFIX + name, metadata, _id(), _to("environments", "environment_id"), *columns, *_times())


def noun_of(table: NamedFromClause) -> str:
    """What a table is of: ``users``."""
    return table.name.removeprefix(PREFIX)


organizations = Table(PREFIX + "organizations", metadata, _id(), _key(), *_times())

projects = Table(
    PREFIX + "projects",
    metadata,
    _id(),
    _to("organizations", "organization_id"),
    _key(),
    _json("body"),
    *_times(),
    UniqueConstraint("organization_id", "key"),
)

# The version says which state of the schema a compiled model is of. That of the facts is the core's.
environments = Table(
    PREFIX + "environments",
    metadata,
    _id(),
    _to("organizations", "organization_id"),
    _to("projects", "project_id"),
    _key(),
    _json("body"),
    Column("schema_version", Integer, nullable=False),
    *_times(),
    UniqueConstraint("project_id", "key"),
)

# Of a key only its handle and the SHA-256 of the whole are kept.
api_keys = Table(
    PREFIX + "api_keys",
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
    # The key it was made with, and ends with: who takes a leaked key away takes all that came of it.
    Column("minted_by", String(36), index=True),
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

# ``owner_id`` is the resource, or the environment for a role that is held in a whole tenant.
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
    PREFIX + "role_permissions",
    metadata,
    Column("role_id", String(36), ForeignKey(PREFIX + "roles.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "action_id", String(36), ForeignKey(PREFIX + "actions.id", ondelete="CASCADE"), primary_key=True, index=True
    ),
    Column("place", Integer, nullable=False),
    Column("written", String(201), nullable=False),
)
role_extends = Table(
    PREFIX + "role_extends",
    metadata,
    Column("role_id", String(36), ForeignKey(PREFIX + "roles.id", ondelete="CASCADE"), primary_key=True),
    Column("base_id", String(36), ForeignKey(PREFIX + "roles.id", ondelete="CASCADE"), primary_key=True, index=True),
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

# The directory is the core's: an environment's key there is its id here. What follows reads its rows as the wire knows
# them, which is by ids; ``store/directory.py`` writes them.


def _known(table: Table, *columns: str) -> list[ColumnElement[Any]]:
    named = [table.c[name] for name in ("id", *columns, "created_at", "updated_at")]
    return [table.c.environment.label("environment_id"), *named]


_users, _tenants, _things = core.users, core.tenants, core.resource_instances
_held, _links = core.role_assignments, core.relationship_tuples
_subjects, _objects = _things.alias("subject"), _things.alias("object")

users = select(*_known(_users, "key", "email", "first_name", "last_name", "attributes")).subquery("users")
tenants = select(*_known(_tenants, "key", "name", "description", "attributes", "last_action_at")).subquery("tenants")


def _in(table: FromClause, of: FromClause, *same: tuple[str, str]) -> ColumnElement[bool]:
    """The row of ``table`` that a row of ``of`` names, in its environment."""
    environment = table.c.environment_id if "environment_id" in table.c else table.c.environment
    return and_(environment == of.c.environment, *(table.c[key] == of.c[name] for key, name in same))


instances = (
    select(
        *_known(_things, "key", "attributes", "type", "tenant"),
        resources.c.id.label("resource_id"),
        _tenants.c.id.label("tenant_id"),
    )
    .select_from(
        _things.join(resources, _in(resources, _things, ("key", "type"))).join(
            _tenants, _in(_tenants, _things, ("key", "tenant"))
        )
    )
    .subquery("instances")
)

# ``place`` is the instance, or the tenant for a role that is held in all of it.
_of_type = and_(resources.c.environment_id == _held.c.environment, resources.c.key == _held.c.resource_type)
_on = _things.c.type == _held.c.resource_type, _things.c.key == _held.c.resource_key
assignments = (
    select(
        *_known(_held, "user_key", "tenant", "role", "resource_type", "resource_key", "expires_at"),
        _users.c.id.label("user_id"),
        roles.c.id.label("role_id"),
        _tenants.c.id.label("tenant_id"),
        _things.c.id.label("instance_id"),
        func.coalesce(_things.c.id, _tenants.c.id).label("place"),
    )
    .select_from(
        _held.join(_users, _in(_users, _held, ("key", "user_key")))
        .join(_tenants, _in(_tenants, _held, ("key", "tenant")))
        .outerjoin(resources, _of_type)
        .join(
            roles,
            and_(roles.c.owner_id == func.coalesce(resources.c.id, _held.c.environment), roles.c.key == _held.c.role),
        )
        .outerjoin(_things, and_(_things.c.environment == _held.c.environment, *_on))
    )
    .subquery("assignments")
)
tuples = (
    select(
        *_known(_links, "subject_type", "subject_key", "relation", "object_type", "object_key", "tenant"),
        _subjects.c.id.label("subject_id"),
        relations.c.id.label("relation_id"),
        _objects.c.id.label("object_id"),
        _tenants.c.id.label("tenant_id"),
    )
    .select_from(
        _links.join(_subjects, _in(_subjects, _links, ("type", "subject_type"), ("key", "subject_key")))
        .join(_objects, _in(_objects, _links, ("type", "object_type"), ("key", "object_key")))
        .join(_tenants, _in(_tenants, _links, ("key", "tenant")))
        .join(resources, _in(resources, _links, ("key", "object_type")))
        .join(relations, and_(relations.c.resource_id == resources.c.id, relations.c.key == _links.c.relation))
    )
    .subquery("tuples")
)


def _to_known(known: Table, name: str, *, nullable: bool = False, ondelete: str = "CASCADE") -> Column[Any]:
    """A reference to a row of the directory."""
    return Column(name, String(36), ForeignKey(known.c.id, ondelete=ondelete), nullable=nullable, index=True)


members = _table(
    "members", _to_known(_users, "user_id"), _to_known(_tenants, "tenant_id"), UniqueConstraint("user_id", "tenant_id")
)
invites = _table(
    "invites",
    _key(),
    Column("status", String(10), nullable=False),
    Column("email", String(320), nullable=False),
    Column("first_name", String(200), nullable=False),
    Column("last_name", String(200), nullable=False),
    _to("roles", "role_id"),
    _to_known(_tenants, "tenant_id"),
    _to_known(_things, "resource_instance_id"),
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
    PREFIX + "element_levels",
    metadata,
    Column("element_id", String(36), ForeignKey(PREFIX + "elements.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", String(36), ForeignKey(PREFIX + "roles.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("level", String(12), nullable=False),
)
# A request is the core's. What the wire knows of it besides is the element that it was made through.
asked = Table(
    PREFIX + "asked",
    metadata,
    Column("request_id", String(40), ForeignKey(core.requests.c.id, ondelete="CASCADE"), primary_key=True),
    _to("elements", "element_id"),
    Column("updated_at", UtcDateTime, nullable=False),
)

NO_RESOURCE = "__tenant"
"""What a request for a role in a whole tenant has for a resource."""

_asked, _reviewers = core.requests, core.users.alias("reviewer")
_about = _asked.c.resource_type == resources.c.key, resources.c.key != NO_RESOURCE
_owner = case((_asked.c.resource_key != "", resources.c.id), else_=_asked.c.environment)
_on_this = _things.c.type == _asked.c.resource_type, _things.c.key == _asked.c.resource_key
requests = (
    select(
        *(_asked.c[name] for name in ("id", "kind", "created_at")),
        _asked.c.environment.label("environment_id"),
        asked.c.element_id,
        asked.c.updated_at,
        _users.c.id.label("user_id"),
        _tenants.c.id.label("tenant_id"),
        resources.c.id.label("resource_id"),
        _things.c.id.label("instance_id"),
        roles.c.id.label("role_id"),
        _reviewers.c.id.label("reviewer_id"),
        _asked.c.decided_at.label("reviewed_at"),
        func.nullif(_asked.c.reason, "").label("reason"),
        func.nullif(_asked.c.comment, "").label("reviewer_comment"),
        case((_asked.c.status == "cancelled", "canceled"), else_=_asked.c.status).label("status"),
    )
    .select_from(
        _asked.join(asked, asked.c.request_id == _asked.c.id)
        .join(_users, _in(_users, _asked, ("key", "user_key")))
        .join(_tenants, _in(_tenants, _asked, ("key", "tenant")))
        .outerjoin(resources, and_(resources.c.environment_id == _asked.c.environment, *_about))
        .outerjoin(_things, and_(_things.c.environment == _asked.c.environment, *_on_this))
        .outerjoin(roles, and_(roles.c.owner_id == _owner, roles.c.key == _asked.c.role))
        .outerjoin(_reviewers, _in(_reviewers, _asked, ("key", "decided_by")))
    )
    .subquery("requests")
)

CHECKS_KEPT = timedelta(days=30)
"""How long a check that was made is remembered."""

# Of a check what was asked and answered is kept, without secrets; with which key is not.
checks = Table(
    PREFIX + "checks",
    metadata,
    _id(),
    Column("environment_id", String(36), ForeignKey(PREFIX + "environments.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("user_key", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_key", Text),
    Column("tenant", Text, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("input", Text, nullable=False),  # JSON, as it is written
    Column("result", Text, nullable=False),
    Index("ix_api_checks_listing", "environment_id", "at"),
)

# Who an element's token acts as, by the grace of which key; of the token only the SHA-256 is kept.
logins = _table(
    "logins",
    _to("api_keys", "key_id"),
    _to_known(_users, "user_id"),
    _to_known(_tenants, "tenant_id"),
    Column("digest", String(64), nullable=False, unique=True),
    Column("expires_at", UtcDateTime, nullable=False),
)

SCHEMA = frozenset(
    {resources, actions, action_groups, attributes, relations, roles, role_permissions, role_extends, derivations}
    | {condition_sets, set_rules}
)
"""What decisions are made by: a write to one of these makes a new version of the schema."""

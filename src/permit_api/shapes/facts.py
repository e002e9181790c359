"""Bodies about facts: users, tenants, instances, assignments, tuples, invites."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from permit_api.shapes.parts import Body, Email, Ident, JsonObject, Key, Name, Text, UserKey

MANY = 10_000
"""How much one bulk call may carry."""


class UserRole(Body):
    """A role for the user in the path."""

    role: Ident
    tenant: Ident | None = None
    resource_instance: Ident | None = None


class UserRoleRemove(UserRole):
    """A role to take from the user in the path."""

    tenant: Ident


class UserUpdate(Body):
    """What changes of a user."""

    email: Email | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    attributes: JsonObject | None = None


class UserCreate(UserUpdate):
    """A new user, or a whole one."""

    key: UserKey
    role_assignments: list[UserRole] | None = None


class TenantUpdate(Body):
    """What changes of a tenant."""

    name: Name | None = None
    description: Text | None = None
    attributes: JsonObject | None = None


class TenantCreate(TenantUpdate):
    """A new tenant."""

    key: Key
    name: Name


class InstanceUpdate(Body):
    """What changes of a resource instance."""

    attributes: JsonObject | None = None


class InstanceCreate(InstanceUpdate):
    """A new resource instance."""

    key: Key
    tenant: Ident
    resource: Ident


class AssignmentCreate(UserRole):
    """A role for a user: in a tenant, or on one instance."""

    user: Ident


class AssignmentRemove(AssignmentCreate):
    """A role to take away."""

    tenant: Ident


class TupleDelete(Body):
    """Which relationship."""

    subject: Ident
    relation: Ident
    object: Ident


class TupleCreate(TupleDelete):
    """``subject`` stands in ``relation`` to ``object``."""

    tenant: Ident | None = None


class UsersBulk(Body):
    """Users to make, or to replace."""

    operations: list[UserCreate] = Field(max_length=MANY)


class TenantsBulk(Body):
    """Tenants to make."""

    operations: list[TenantCreate] = Field(max_length=MANY)


class InstancesBulk(Body):
    """Instances to make or to replace."""

    operations: list[InstanceCreate] = Field(max_length=MANY)


class TuplesBulk(Body):
    """Relationships to make."""

    operations: list[TupleCreate] = Field(max_length=MANY)


class Idents(Body):
    """What to take away, by id or key."""

    idents: list[Ident] = Field(max_length=MANY)


class TupleIdents(Body):
    """Relationships to take away."""

    idents: list[TupleDelete] = Field(max_length=MANY)


class InviteCreate(Body):
    """Somebody who is to become a user with a role on an instance."""

    key: UserKey
    status: Literal["pending", "approved"]
    email: Email
    first_name: Name
    last_name: Name
    role_id: UUID
    tenant_id: UUID
    resource_instance_id: UUID


class InviteApprove(Body):
    """Who the invited becomes."""

    email: Email
    key: UserKey
    attributes: JsonObject

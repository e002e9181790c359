"""Bodies about the schema: resources and what belongs to them, roles, condition sets and their rules."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from permit_api.shapes.parts import Body, Ident, JsonObject, Key, Name, Text

AttributeType = Literal["bool", "number", "string", "time", "array", "json", "object", "object_array"]


class DerivationSettings(Body):
    """When a derived role is withheld."""

    no_direct_roles_on_object: bool = False


class DerivationRule(Body):
    """Whoever has ``role`` on an instance of ``on_resource`` that is linked to the object gets the derived role."""

    role: Ident
    on_resource: Ident
    linked_by_relation: Ident
    when: DerivationSettings | None = None


class Derivation(Body):
    """How a resource role is derived."""

    when: DerivationSettings | None = None
    users_with_role: list[DerivationRule] | None = None


class ActionBlock(Body):
    """An action within a resource."""

    name: Name | None = None
    description: Text | None = None
    attributes: JsonObject | None = None
    v1compat_path: Text | None = None
    v1compat_name: Text | None = None


class AttributeBlock(Body):
    """An attribute within a resource."""

    type: AttributeType
    description: Text | None = None


class RoleBlock(Body):
    """A role within a resource."""

    name: Name
    description: Text | None = None
    permissions: list[Ident] | None = None
    attributes: JsonObject | None = None
    extends: list[Ident] | None = None
    granted_to: Derivation | None = None
    v1compat_settings: Any = None
    v1compat_attributes: Any = None


class ResourceReplace(Body):
    """A whole resource, but for its key."""

    name: Name
    urn: Text | None = None
    description: Text | None = None
    actions: dict[Key, ActionBlock]
    type_attributes: JsonObject | None = None
    attributes: dict[Key, AttributeBlock] | None = None
    roles: dict[Key, RoleBlock] | None = None
    relations: dict[Key, Ident] | None = None
    v1compat_path: Text | None = None
    v1compat_type: Text | None = None
    v1compat_name: Text | None = None


class ResourceCreate(ResourceReplace):
    """A new resource."""

    key: Key


class ResourceUpdate(Body):
    """What changes of a resource."""

    name: Name | None = None
    urn: Text | None = None
    description: Text | None = None
    actions: dict[Key, ActionBlock] | None = None
    type_attributes: JsonObject | None = None
    attributes: dict[Key, AttributeBlock] | None = None
    roles: dict[Key, RoleBlock] | None = None
    relations: dict[Key, Ident] | None = None
    v1compat_path: Text | None = None
    v1compat_type: Text | None = None
    v1compat_name: Text | None = None


class ActionUpdate(Body):
    """What changes of an action."""

    name: Name | None = None
    description: Text | None = None
    attributes: JsonObject | None = None
    v1compat_path: Text | None = None
    v1compat_is_built_in: bool | None = None
    v1compat_name: Text | None = None


class ActionCreate(ActionUpdate):
    """A new action of a resource."""

    key: Key
    name: Name


class ActionGroupUpdate(Body):
    """What changes of a group of actions."""

    name: Name | None = None
    description: Text | None = None
    attributes: JsonObject | None = None
    actions: list[Ident] | None = None


class ActionGroupCreate(ActionGroupUpdate):
    """A new group of actions."""

    key: Key
    name: Name


class AttributeCreate(Body):
    """A new attribute of a resource, or of users."""

    key: Key
    type: AttributeType
    description: Text | None = None


class AttributeUpdate(Body):
    """What changes of an attribute."""

    type: AttributeType | None = None
    description: Text | None = None


class RelationCreate(Body):
    """A new relation; it is declared on the type of its objects."""

    key: Key
    name: Name
    description: Text | None = None
    subject_resource: Ident


class RoleUpdate(Body):
    """What changes of a role."""

    name: Name | None = None
    description: Text | None = None
    permissions: list[Ident] | None = None
    attributes: JsonObject | None = None
    extends: list[Ident] | None = None
    granted_to: Derivation | None = None
    v1compat_settings: Any = None
    v1compat_attributes: Any = None


class RoleCreate(RoleUpdate):
    """A new role."""

    key: Key
    name: Name
    v1compat_is_built_in: bool | None = None


class RoleBulkCreate(RoleUpdate):
    """A role of a bulk call, of the resource when one is named."""

    key: Key
    name: Name
    resource: Ident | None = None


class RolesBulk(Body):
    """Roles to make or change."""

    operations: list[RoleBulkCreate] = Field(max_length=1000)


class Permissions(Body):
    """Permissions to add to a role, or to take from it."""

    permissions: list[Ident]


class ConditionSetUpdate(Body):
    """What changes of a condition set."""

    name: Name | None = None
    description: Text | None = None
    conditions: JsonObject | None = None
    parent_id: Ident | None = None


class ConditionSetCreate(ConditionSetUpdate):
    """A new set of users, or of resources of one type."""

    key: Key
    name: Name
    type: Literal["userset", "resourceset"] = "userset"
    autogenerated: bool = False
    resource_id: Ident | None = None


class SetRule(Body):
    """Users of a set may do one thing with resources of a set."""

    user_set: Ident
    permission: Ident
    resource_set: Ident
    is_role: bool = False
    is_resource: bool = False

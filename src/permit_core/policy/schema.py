"""The closed shape of a policy file.

Whatever is not named here is an error. The words are Permit.io's (resources with actions, attributes, roles and
relations; derived roles; condition sets and set rules) plus the two things a policy says about asking a human.
``docs/policy-language.md`` describes them for authors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from permit_core.access import OBJECT_KEY

AttributeType = Literal["bool", "number", "string", "time", "array", "json", "object", "object_array"]
PinOperator = Literal["equals", "not-equals", "less-than", "less-than-equals", "greater-than", "greater-than-equals"]

_DURATION = re.compile(r"(\d{1,6}) (second|minute|hour|day)s?\Z")


def _check_key(value: Any) -> Any:
    if not isinstance(value, str) or not OBJECT_KEY.match(value):
        raise PydanticCustomError("key", "a key of letters, digits, '-' and '_' (at most 100); quote a number")
    return value


def _read_duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise PydanticCustomError("duration", "a duration such as '30 minutes', '1 hour' or '7 days'")
    return timedelta(**{f"{match[2]}s": int(match[1])})


Key = Annotated[str, BeforeValidator(_check_key)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Duration = Annotated[timedelta, BeforeValidator(_read_duration)]


class Part(BaseModel):
    """Any part of a policy: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Attribute(Part):
    """An attribute of a resource type or of users."""

    type: AttributeType
    description: Text | None = None


class DerivationSettings(Part):
    """When a derived role is withheld."""

    no_direct_roles_on_object: StrictBool = False


class DerivationRule(Part):
    """Whoever has ``role`` on an instance of ``on_resource`` that is linked to the object gets the derived role."""

    role: Key
    on_resource: Key
    linked_by_relation: Key
    when: DerivationSettings = DerivationSettings()


class Derivation(Part):
    """How a resource role is derived from roles on related instances."""

    users_with_role: tuple[DerivationRule, ...] = Field(min_length=1)
    when: DerivationSettings = DerivationSettings()


class ResourceRole(Part):
    """A role that is held on one instance. Permissions are actions of the type, bare or as ``type:action``."""

    name: Text | None = None
    description: Text | None = None
    permissions: tuple[Text, ...] = ()
    extends: tuple[Key, ...] = ()
    granted_to: Derivation | None = None


class ResourceType(Part):
    """A kind of thing that is protected. ``relations`` maps a relation to the type of its subjects."""

    name: Text | None = None
    description: Text | None = None
    actions: tuple[Key, ...] = Field(min_length=1)
    attributes: Mapping[Key, Attribute] = Field(default_factory=dict)
    relations: Mapping[Key, Key] = Field(default_factory=dict)
    roles: Mapping[Key, ResourceRole] = Field(default_factory=dict)


class TenantRole(Part):
    """A role that is held in a whole tenant. Permissions are ``type:action``; ``tools`` are what its holders see."""

    name: Text | None = None
    description: Text | None = None
    permissions: tuple[Text, ...] = ()
    extends: tuple[Key, ...] = ()
    tools: tuple[Key, ...] = ()


class UserSet(Part):
    """Users, described by conditions on their attributes."""

    name: Text | None = None
    description: Text | None = None
    conditions: Mapping[str, Any]


class ResourceSet(Part):
    """Instances of one type, described by conditions on their attributes."""

    name: Text | None = None
    description: Text | None = None
    resource: Key
    conditions: Mapping[str, Any]


class SetRule(Part):
    """Users of a set may do one thing with resources of a set.

    ``is_role``: ``user_set`` is a tenant role, or ``type#role`` for holders of that role on the very object.
    ``is_resource``: ``resource_set`` is a resource type, meaning all of it.
    """

    user_set: Text
    permission: Text
    resource_set: Key
    is_role: StrictBool = False
    is_resource: StrictBool = False


class AccessRequestRule(Part):
    """A role that can be asked for.

    Attributes:
        resource: the type on whose instances it can be asked for.
        role: the role, one of that type.
        asked_by: the tenant roles whose holders may ask.
        review_action: who may do this on the instance decides.
        pending_expires: how long an undecided request stands.
    """

    resource: Key
    role: Key
    asked_by: frozenset[Key] = Field(min_length=1)
    review_action: Key
    pending_expires: Duration


class OperationRule(Part):
    """An operation that can be approved once.

    Attributes:
        resource: the type on whose instances it is done.
        operation: an action of that type.
        asked_by: the roles on the object, direct or derived, whose holders may ask.
        review_action: who may do this on the instance decides.
        pending_expires: how long an undecided request stands.
        approval_expires: how long an approval can be used.
        pinned: attribute -> operator: when the approval is used, the value of that moment must stand in this relation
            to the value that was approved.
    """

    resource: Key
    operation: Key
    asked_by: frozenset[Key] = Field(min_length=1)
    review_action: Key
    pending_expires: Duration
    approval_expires: Duration
    pinned: Mapping[Key, PinOperator] = Field(default_factory=dict)


class PolicyDocument(Part):
    """A whole policy file, its shape checked, what its names refer to not yet."""

    version: Literal[1]
    name: Text
    resources: Mapping[Key, ResourceType] = Field(min_length=1)
    roles: Mapping[Key, TenantRole] = Field(default_factory=dict)
    user_attributes: Mapping[Key, Attribute] = Field(default_factory=dict)
    user_sets: Mapping[Key, UserSet] = Field(default_factory=dict)
    resource_sets: Mapping[Key, ResourceSet] = Field(default_factory=dict)
    set_rules: tuple[SetRule, ...] = ()
    access_requests: tuple[AccessRequestRule, ...] = ()
    operation_approvals: tuple[OperationRule, ...] = ()

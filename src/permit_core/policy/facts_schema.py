"""The closed shape in which facts are written down, in facts files and in scenario tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from permit_core.access import ResourceRef
from permit_core.errors import InvalidInput
from permit_core.policy.schema import Key, Part, Text, UserKey


def _check_instance(value: Any) -> Any:
    try:
        ref = ResourceRef.parse(value) if isinstance(value, str) else None
    except InvalidInput:
        ref = None
    if ref is None or ref.key is None:
        raise PydanticCustomError("key", "an instance in the form type:key")
    return value


InstanceText = Annotated[str, BeforeValidator(_check_instance)]


class TenantEntry(Part):
    """A tenant."""

    key: Key
    name: Text


class UserEntry(Part):
    """A user."""

    key: UserKey
    first_name: Text
    last_name: str = ""
    email: str = ""
    attributes: Mapping[str, Any] = Field(default_factory=dict)


class InstanceEntry(Part):
    """A resource instance."""

    resource: Key
    key: Key
    tenant: Key | None = None
    attributes: Mapping[str, Any] = Field(default_factory=dict)


class TupleEntry(Part):
    """``subject`` stands in ``relation`` to ``object``."""

    subject: InstanceText
    relation: Key
    object: InstanceText
    tenant: Key | None = None


class AssignmentEntry(Part):
    """A role, tenant-wide unless ``resource_instance`` is given."""

    user: UserKey
    role: Key
    resource_instance: InstanceText | None = None
    tenant: Key | None = None


class FactsSections(Part):
    """The sections that facts are written in."""

    tenants: tuple[TenantEntry, ...] = ()
    users: tuple[UserEntry, ...] = ()
    resource_instances: tuple[InstanceEntry, ...] = ()
    relationship_tuples: tuple[TupleEntry, ...] = ()
    role_assignments: tuple[AssignmentEntry, ...] = ()


class FactsDocument(FactsSections):
    """The closed shape of a facts file. An entry that names no tenant belongs to the first one of the file."""

    tenants: tuple[TenantEntry, ...] = Field(min_length=1)

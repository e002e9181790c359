"""What the directory holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from permit_core.access import ResourceRef


@dataclass(frozen=True, slots=True)
class User:
    """A named user. ``first_name`` is what reviewers see; ``email`` and ``attributes`` never leave the directory."""

    key: str
    first_name: str
    last_name: str = ""
    email: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """First and last name, or the key for a user synced without a name."""
        return f"{self.first_name} {self.last_name}".strip() or self.key


@dataclass(frozen=True, slots=True)
class ResourceInstance:
    """One instance of a resource type, in one tenant."""

    ref: ResourceRef
    tenant: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The ``name`` attribute, or the key."""
        return str(self.attributes.get("name") or self.ref.key)


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """``user`` has ``role`` in ``tenant``; on one instance when ``resource`` is given, else tenant-wide.

    From ``expires_at`` (UTC) on it does not count; None is for good.
    """

    user: str
    role: str
    tenant: str
    resource: ResourceRef | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RelationshipTuple:
    """``subject`` stands in ``relation`` to ``object``: ``restaurants:1 restaurant dishes:1-cheese-pizza``.

    The relation is declared on the object's type.
    """

    subject: ResourceRef
    relation: str
    object: ResourceRef
    tenant: str

"""The port behind which users, tenants, instances, roles and relationships are kept."""

from __future__ import annotations

from typing import Protocol

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.entries import ResourceInstance, User
from permit_core.identity import Principal
from permit_core.page import Page


class Directory(Protocol):
    """What the tools need to know of people and things. Reading never fails for an absent thing: it answers None."""

    async def user(self, key: str, transaction: Transaction | None = None) -> User | None:
        """The user with this key, or None."""
        ...

    async def principal(self, key: str, tenant: str, transaction: Transaction | None = None) -> Principal | None:
        """The user as somebody who acts in ``tenant``; None when there is no such user or tenant."""
        ...

    async def tenant_roles(self, user: str, tenant: str, transaction: Transaction | None = None) -> frozenset[str]:
        """The keys of the tenant-wide roles the user holds in ``tenant``."""
        ...

    async def instance(
        self, ref: ResourceRef, tenant: str, transaction: Transaction | None = None
    ) -> ResourceInstance | None:
        """The instance, or None when it does not exist in this tenant."""
        ...

    async def instances(
        self, resource_type: str, tenant: str, page: int = 1, per_page: int = 100
    ) -> Page[ResourceInstance]:
        """The instances of one type in one tenant, ordered by key (numbers by value)."""
        ...

    async def objects(self, ref: ResourceRef, relation: str, tenant: str) -> list[ResourceInstance]:
        """The objects to which ``ref`` stands in ``relation`` (the dishes of a restaurant), ordered by key."""
        ...

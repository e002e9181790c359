"""The port behind which users, tenants, instances, roles and relationships are kept."""

from __future__ import annotations

from typing import Protocol

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.page import Page
from permit_core.policy.facts_file import FactsFile


class Directory(Protocol):
    """What the tools need to know of people and things. Reading never fails for an absent thing: it answers None."""

    async def user(self, environment: str, key: str, transaction: Transaction | None = None) -> User | None:
        """The user with this key, or None."""
        ...

    async def actor(
        self, environment: str, tenant: str, key: str, transaction: Transaction | None = None
    ) -> Actor | None:
        """The user as somebody who acts in ``tenant``; None when there is no such user or tenant."""
        ...

    async def tenant_roles(
        self, environment: str, tenant: str, user: str, transaction: Transaction | None = None
    ) -> frozenset[str]:
        """The keys of the tenant-wide roles the user holds in ``tenant``."""
        ...

    async def instance(
        self, environment: str, tenant: str, ref: ResourceRef, transaction: Transaction | None = None
    ) -> ResourceInstance | None:
        """The instance, or None when it does not exist in this tenant."""
        ...

    async def instances(
        self, environment: str, tenant: str, resource_type: str, page: int = 1, per_page: int = 100
    ) -> Page[ResourceInstance]:
        """The instances of one type in one tenant, ordered by key (numbers by value)."""
        ...

    async def objects(self, environment: str, tenant: str, ref: ResourceRef, relation: str) -> list[ResourceInstance]:
        """The objects to which ``ref`` stands in ``relation`` (the dishes of a restaurant), ordered by key."""
        ...


class WritableDirectory(Directory, Protocol):
    """A directory that can be changed. Each method answers whether anything was another way before, and audits if so.

    What the methods refuse is said at those of :class:`permit_core.directory.sql.SqlDirectory`.
    """

    async def put_tenant(self, actor: Actor, key: str, name: str, transaction: Transaction | None = None) -> bool:
        """Add a tenant, or rename it."""
        ...

    async def put_user(self, actor: Actor, user: User, transaction: Transaction | None = None) -> bool:
        """Add a user, or replace what is known of the user."""
        ...

    async def put_instance(
        self, actor: Actor, instance: ResourceInstance, transaction: Transaction | None = None
    ) -> bool:
        """Add an instance, or replace its attributes."""
        ...

    async def assign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Give a role."""
        ...

    async def unassign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Take a role away."""
        ...

    async def relate(self, actor: Actor, link: RelationshipTuple, transaction: Transaction | None = None) -> bool:
        """Put two instances in relation."""
        ...

    async def unrelate(self, actor: Actor, link: RelationshipTuple, transaction: Transaction | None = None) -> bool:
        """Take two instances out of a relation."""
        ...

    async def remove_user(self, actor: Actor, key: str, transaction: Transaction | None = None) -> bool:
        """Remove a user, with every role of theirs."""
        ...

    async def remove_instance(self, actor: Actor, ref: ResourceRef, transaction: Transaction | None = None) -> bool:
        """Remove an instance, with the roles on it and its relationships."""
        ...

    async def remove_tenant(self, actor: Actor, key: str, transaction: Transaction | None = None) -> bool:
        """Remove a tenant, with everything in it."""
        ...

    async def load(self, actor: Actor, facts: FactsFile, transaction: Transaction | None = None) -> bool:
        """Give a new database what it starts with; whether it was new."""
        ...

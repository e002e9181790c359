"""The directory in Permit.io."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from permit_core.access import ResourceRef
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.directory.entry_writer import assignment_event, tuple_event
from permit_core.directory.sql import SEED, facts_digest
from permit_core.directory.vocabulary import Vocabulary
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import Conflict, NotFound
from permit_core.identity import Actor
from permit_core.page import Page
from permit_core.permit_io.client import PermitClient
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.reader import PermitReader, or_none
from permit_core.policy.facts_file import FactsFile
from permit_core.policy.model import PolicyModel
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.stores.facts import FactStore
from permit_core.views import plain


class PermitDirectory:
    """Users, tenants, instances, roles and relationships as Permit.io has them at the moment of asking.

    Our own database keeps the names of the tenant and of people who were seen here, for our rows point at them; nothing
    is decided by that. What is written goes to Permit.io and is audited here.

    Implements :class:`permit_core.ports.directory.WritableDirectory`.
    """

    def __init__(
        self,
        *,
        model: PolicyModel,
        database: Database,
        audit: Audit,
        clock: Clock,
        client: PermitClient,
        reader: PermitReader,
    ) -> None:
        self._vocabulary = Vocabulary(model)
        self._database = database
        self._audit = audit
        self._clock = clock
        self._client = client
        self._reader = reader
        self._facts = FactStore()
        self._noted: dict[str, str] = {}

    # Reading

    async def user(self, environment: str, key: str, transaction: Transaction | None = None) -> User | None:
        """The user with this key, or None."""
        found = await self._reader.person(key)
        return None if found is None or found[0].key != key else found[0]

    async def actor(
        self, environment: str, tenant: str, key: str, transaction: Transaction | None = None
    ) -> Actor | None:
        """The user as somebody who acts in ``tenant``; None when there is no such user or tenant."""
        user = await self.user(environment, key) if tenant == self._client.tenant else None
        if user is None:
            return None
        if transaction is None and self._noted.get(key) != user.name:
            await self.note([user])
        return Actor(environment, tenant, user.key, plain(user.name))

    async def tenant_roles(
        self, environment: str, tenant: str, user: str, transaction: Transaction | None = None
    ) -> frozenset[str]:
        """The keys of the tenant-wide roles the user holds in ``tenant``."""
        found = await self._reader.person(user) if tenant == self._client.tenant else None
        return frozenset() if found is None or found[0].key != user else found[1]

    async def instance(
        self, environment: str, tenant: str, ref: ResourceRef, transaction: Transaction | None = None
    ) -> ResourceInstance | None:
        """The instance, or None when it does not exist in this tenant."""
        found = await self._reader.instance(ref)
        return found if found is not None and found.tenant == tenant else None

    async def instances(
        self, environment: str, tenant: str, resource_type: str, page: int = 1, per_page: int = 100
    ) -> Page[ResourceInstance]:
        """The instances of one type in one tenant, a page in Permit.io's order; within the page by key.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        if tenant != self._client.tenant:
            return Page([], 0, page, per_page)
        return await self._reader.instance_page(resource_type, page, per_page)

    async def objects(self, environment: str, tenant: str, ref: ResourceRef, relation: str) -> list[ResourceInstance]:
        """The objects to which ``ref`` stands in ``relation`` (the dishes of a restaurant), ordered by key."""
        return await self._reader.objects(ref, relation) if tenant == self._client.tenant else []

    # Writing

    async def put_tenant(self, actor: Actor, key: str, name: str, transaction: Transaction | None = None) -> bool:
        """Add a tenant, or rename it; see :class:`permit_core.directory.sql.SqlDirectory`."""
        self._vocabulary.check_key(key, "tenant")
        self._vocabulary.check_name(name, "tenant name")
        found = await or_none(self._client.sdk("a tenant", lambda sdk: sdk.api.tenants.get(key), safe=True))
        if found is None:
            body: dict[str, Any] = {"key": key, "name": name}
            await _there_already(self._client.sdk("a new tenant", lambda sdk: sdk.api.tenants.create(body)))
        elif found.name == name:
            return False
        else:
            await self._client.sdk("a tenant's name", lambda sdk: sdk.api.tenants.update(key, {"name": name}))
        return await self._remember(
            actor, transaction, AuditEvent("tenant.put", replace(actor, tenant=key), {"name": name})
        )

    async def put_user(self, actor: Actor, user: User, transaction: Transaction | None = None) -> bool:
        """Add a user, or replace what is known of the user; see :class:`permit_core.directory.sql.SqlDirectory`."""
        self._vocabulary.check_user(user)
        if await self.user(actor.environment, user.key) == user:
            return False
        body: dict[str, Any] = {
            "key": user.key,
            "first_name": user.first_name or None,
            "last_name": user.last_name or None,
            "email": user.email or None,
            "attributes": dict(user.attributes),
        }
        await self._client.sdk("a user", lambda sdk: sdk.api.users.sync(body))
        return await self._remember(actor, transaction, AuditEvent("user.put", actor, {"user": user.key}))

    async def put_instance(
        self, actor: Actor, instance: ResourceInstance, transaction: Transaction | None = None
    ) -> bool:
        """Add an instance, or replace its attributes; see :class:`permit_core.directory.sql.SqlDirectory`."""
        self._vocabulary.check_instance(instance)
        before = await self._reader.instance(instance.ref)
        if before == instance:
            return False
        attributes = dict(instance.attributes)
        if before is None:
            body: dict[str, Any] = {
                "resource": instance.ref.type,
                "key": instance.ref.key,
                "tenant": instance.tenant,
                "attributes": attributes,
            }
            await self._client.sdk("a new instance", lambda sdk: sdk.api.resource_instances.create(body))
        elif before.tenant != instance.tenant:
            raise Conflict("That key exists in another tenant.", code="other_tenant", hint="Choose another key.")
        else:
            name, change = str(instance.ref), {"attributes": attributes}
            await self._client.sdk("an instance", lambda sdk: sdk.api.resource_instances.update(name, change))
        told = {"instance": str(instance.ref), "attributes": attributes}
        return await self._remember(
            actor, transaction, AuditEvent("instance.put", replace(actor, tenant=instance.tenant), told)
        )

    async def assign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Give a role; see :class:`permit_core.directory.sql.SqlDirectory`."""
        self._vocabulary.check_role(assignment)
        await self._need(actor, assignment.resource, assignment.tenant)
        body = _assignment(assignment)
        given = self._client.sdk("a role", lambda sdk: sdk.api.role_assignments.assign(body))
        if await _there_already(given, "There is no such user."):
            return False
        return await self._remember(actor, transaction, assignment_event("role.assigned", actor, assignment))

    async def unassign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Take a role away; also one that the policy does not know any more."""
        body = _assignment(assignment)
        taken = self._client.sdk("a role to be taken", lambda sdk: sdk.api.role_assignments.unassign(body))
        if await _gone_already(taken):
            return False
        return await self._remember(actor, transaction, assignment_event("role.unassigned", actor, assignment))

    async def relate(self, actor: Actor, link: RelationshipTuple, transaction: Transaction | None = None) -> bool:
        """Put two instances in relation; see :class:`permit_core.directory.sql.SqlDirectory`."""
        self._vocabulary.check_tuple(link)
        await self._need(actor, link.subject, link.tenant)
        await self._need(actor, link.object, link.tenant)
        if link in await self._reader.tuples_above([link.object]):
            return False  # nothing says that Permit.io minds being told twice
        body = _tuple(link) | {"tenant": link.tenant}
        made = self._client.sdk("a relationship", lambda sdk: sdk.api.relationship_tuples.create(body))
        if await _there_already(made):
            return False
        return await self._remember(actor, transaction, tuple_event("relationship.added", actor, link))

    async def unrelate(self, actor: Actor, link: RelationshipTuple, transaction: Transaction | None = None) -> bool:
        """Take two instances out of a relation; also out of one that the policy does not know any more."""
        body = _tuple(link)
        taken = self._client.sdk("a relationship to be ended", lambda sdk: sdk.api.relationship_tuples.delete(body))
        if await _gone_already(taken):
            return False
        return await self._remember(actor, transaction, tuple_event("relationship.removed", actor, link))

    async def remove_user(self, actor: Actor, key: str, transaction: Transaction | None = None) -> bool:
        """Remove a user, with every role of theirs; see :class:`permit_core.directory.sql.SqlDirectory`."""
        if await _gone_already(self._client.sdk("a user to be removed", lambda sdk: sdk.api.users.delete(key))):
            return False
        return await self._remember(actor, transaction, AuditEvent("user.removed", actor, {"user": key}))

    async def remove_instance(self, actor: Actor, ref: ResourceRef, transaction: Transaction | None = None) -> bool:
        """Remove an instance; see :class:`permit_core.directory.sql.SqlDirectory`."""
        name = str(ref)
        gone = self._client.sdk("an instance to be removed", lambda sdk: sdk.api.resource_instances.delete(name))
        if await _gone_already(gone):
            return False
        return await self._remember(actor, transaction, AuditEvent("instance.removed", actor, {"instance": name}))

    async def remove_tenant(self, actor: Actor, key: str, transaction: Transaction | None = None) -> bool:
        """Remove a tenant; see :class:`permit_core.directory.sql.SqlDirectory`."""
        if await _gone_already(self._client.sdk("a tenant to be removed", lambda sdk: sdk.api.tenants.delete(key))):
            return False
        return await self._remember(actor, transaction, AuditEvent("tenant.removed", replace(actor, tenant=key), {}))

    async def load(self, actor: Actor, facts: FactsFile, transaction: Transaction | None = None) -> bool:
        """Note the tenants and people of a facts file here, once; the facts themselves are seeded into Permit.io.

        Returns:
            Whether this was the first time.
        """
        async with self._database.writing(transaction, actor.environment) as writing:
            if await self._facts.seed_digest(actor.environment, writing, SEED) is not None:
                return False
            for tenant in facts.tenants:
                await self._facts.put_tenant(actor.environment, writing, tenant.key, tenant.name)
            for user in facts.users:
                await self._facts.put_user(actor.environment, writing, User(user.key, user.first_name, user.last_name))
            await self._facts.mark_seeded(actor.environment, writing, SEED, facts_digest(facts), self._clock())
            await self._audit.append(writing, AuditEvent("directory.noted", actor, {"users": len(facts.users)}))
        return True

    async def note_everybody(self) -> None:
        """Note the names of all people of the tenant, so that who may review can be told of what is asked."""
        await self.note(await self._reader.people())

    async def note(self, people: list[User]) -> None:
        """Keep names where our rows can point at them. They are not audited: nothing follows from them."""
        environment, tenant = self._client.environment, self._client.tenant
        async with self._database.transaction(environment) as transaction:
            if await self._facts.tenant_name(environment, transaction, tenant) is None:
                await self._facts.put_tenant(environment, transaction, tenant, tenant)
            for user in people:
                await self._facts.put_user(environment, transaction, User(user.key, user.first_name, user.last_name))
        self._noted |= {user.key: user.name for user in people}

    async def _need(self, actor: Actor, ref: ResourceRef | None, tenant: str) -> None:
        """Permit.io would make an instance that is not there; a slip of the pen is not a new restaurant."""
        if ref is not None and await self.instance(actor.environment, tenant, ref) is None:
            raise NotFound("There is no such instance.", code="no_such_instance", hint="Use a key from a list.")

    async def _remember(self, actor: Actor, transaction: Transaction | None, event: AuditEvent) -> bool:
        async with self._database.writing(transaction, actor.environment) as writing:
            await self._audit.append(writing, event)
        return True


async def _there_already(call: Awaitable[Any], missing: str = "") -> bool:
    """Whether Permit.io says that it is so already (409)."""
    try:
        await call
    except PermitFault as fault:
        if fault.status == 404 and missing:
            raise NotFound(missing, code="no_such_user", hint="Add the user first.") from fault
        if fault.status != 409:
            raise
        return True
    return False


async def _gone_already(call: Awaitable[Any]) -> bool:
    """Whether Permit.io says that there is no such thing (404)."""
    try:
        await call
    except PermitFault as fault:
        if fault.status != 404:
            raise
        return True
    return False


def _assignment(assignment: RoleAssignment) -> dict[str, Any]:
    on = {} if assignment.resource is None else {"resource_instance": str(assignment.resource)}
    return {"user": assignment.user, "role": assignment.role, "tenant": assignment.tenant, **on}


def _tuple(link: RelationshipTuple) -> dict[str, Any]:
    return {"subject": str(link.subject), "relation": link.relation, "object": str(link.object)}

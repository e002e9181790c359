"""Writing single entries, each checked against the policy and against what is there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.directory.vocabulary import Vocabulary
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import Conflict, NotFound
from permit_core.identity import Actor
from permit_core.policy.facts import Entry, FactChange
from permit_core.policy.facts_file import FactsFile
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.record import AuditEvent
from permit_core.stores.facts import FactStore, StoredFacts


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed: what is remembered of it, and how a snapshot is patched (None: it is to be read again)."""

    event: AuditEvent
    facts: tuple[FactChange, ...] | None = field(default=())


class EntryWriter:
    """Writes entries and answers what changed, None for nothing; whoever calls audits that and raises the version.

    What each method refuses is said at the method of the same name of :class:`permit_core.directory.sql.SqlDirectory`.
    """

    def __init__(self, policies: PolicySource, facts: FactStore) -> None:
        self._policies = policies
        self._facts = facts

    def _vocabulary(self, environment: str) -> Vocabulary:
        return Vocabulary(self._policies.current(environment).model)

    async def put_tenant(self, actor: Actor, transaction: Transaction, key: str, name: str) -> Change | None:
        """Add or rename."""
        self._vocabulary(actor.environment).check_key(key, "tenant")
        self._vocabulary(actor.environment).check_name(name, "tenant name")
        if await self._facts.tenant_name(actor.environment, transaction, key) == name:
            return None
        await self._facts.put_tenant(actor.environment, transaction, key, name)
        return Change(AuditEvent("tenant.put", replace(actor, tenant=key), {"name": name}), (FactChange(key),))

    async def put_user(self, actor: Actor, transaction: Transaction, user: User) -> Change | None:
        """Add or replace."""
        self._vocabulary(actor.environment).check_user(user)
        if await self._facts.user(actor.environment, transaction, user.key) == user:
            return None
        await self._facts.put_user(actor.environment, transaction, user)
        return Change(AuditEvent("user.put", actor, {"user": user.key}), (FactChange(user),))

    async def put_instance(self, actor: Actor, transaction: Transaction, instance: ResourceInstance) -> Change | None:
        """Add or replace."""
        self._vocabulary(actor.environment).check_instance(instance)
        await self._need_tenant(actor, transaction, instance.tenant)
        before = await self._facts.instance(actor.environment, transaction, instance.ref)
        if before == instance:
            return None
        if before is not None and before.tenant != instance.tenant:
            raise _other_tenant()
        await self._facts.put_instance(actor.environment, transaction, instance)
        body = {"instance": str(instance.ref), "attributes": dict(instance.attributes)}
        event = AuditEvent("instance.put", replace(actor, tenant=instance.tenant), body)
        return Change(event, (FactChange(instance),))

    async def assign(self, actor: Actor, transaction: Transaction, assignment: RoleAssignment) -> Change | None:
        """Give a role."""
        self._vocabulary(actor.environment).check_role(assignment)
        await self._need_tenant(actor, transaction, assignment.tenant)
        _need_user(await self._facts.user(actor.environment, transaction, assignment.user) is not None)
        if assignment.resource is not None:
            await self._need_instance(actor, transaction, assignment.resource, assignment.tenant)
        if await self._facts.assignment(actor.environment, transaction, assignment) == assignment:
            return None
        await self._facts.put_assignment(actor.environment, transaction, assignment)
        return Change(assignment_event("role.assigned", actor, assignment), (FactChange(assignment),))

    async def unassign(self, actor: Actor, transaction: Transaction, assignment: RoleAssignment) -> Change | None:
        """Take a role away."""
        if not await self._facts.remove(actor.environment, transaction, assignment):
            return None
        gone = (FactChange(assignment, removed=True),)
        return Change(assignment_event("role.unassigned", actor, assignment), gone)

    async def relate(self, actor: Actor, transaction: Transaction, link: RelationshipTuple) -> Change | None:
        """Put two instances in relation."""
        self._vocabulary(actor.environment).check_tuple(link)
        await self._need_tenant(actor, transaction, link.tenant)
        await self._need_instance(actor, transaction, link.subject, link.tenant)
        await self._need_instance(actor, transaction, link.object, link.tenant)
        if await self._facts.has_tuple(actor.environment, transaction, link):
            return None
        await self._facts.add_tuple(actor.environment, transaction, link)
        return Change(tuple_event("relationship.added", actor, link), (FactChange(link),))

    async def unrelate(self, actor: Actor, transaction: Transaction, link: RelationshipTuple) -> Change | None:
        """Take two instances out of a relation."""
        if not await self._facts.remove(actor.environment, transaction, link):
            return None
        return Change(tuple_event("relationship.removed", actor, link), (FactChange(link, removed=True),))

    async def remove_user(self, actor: Actor, transaction: Transaction, key: str) -> Change | None:
        """Remove a user and every role of theirs."""
        user = await self._facts.user(actor.environment, transaction, key)
        if user is None:
            return None
        given = await self._facts.roles_of(actor.environment, transaction, key)
        gone: list[Entry] = [*given, user]
        for entry in gone:
            await self._facts.remove(actor.environment, transaction, entry)
        body = {"user": key, "roles": [told_of(each) for each in given]}
        return Change(AuditEvent("user.removed", actor, body), _gone(gone))

    async def remove_instance(self, actor: Actor, transaction: Transaction, ref: ResourceRef) -> Change | None:
        """Remove an instance, the roles on it and its relationships."""
        instance = await self._facts.instance(actor.environment, transaction, ref)
        if instance is None:
            return None
        given, links = await self._facts.around(actor.environment, transaction, ref)
        gone: list[Entry] = [*given, *links, instance]
        for entry in gone:
            await self._facts.remove(actor.environment, transaction, entry)
        body = {"instance": str(ref), "roles": [told_of(each) for each in given], "relationships": len(links)}
        event = AuditEvent("instance.removed", replace(actor, tenant=instance.tenant), body)
        return Change(event, _gone(gone))

    async def remove_tenant(self, actor: Actor, transaction: Transaction, key: str) -> Change | None:
        """Remove a tenant and everything in it; its users stay, for they belong to the environment."""
        if not await self._facts.remove(actor.environment, transaction, key):
            return None
        given = await self._facts.roles_in(actor.environment, transaction, key)
        removed = await self._facts.remove_in_tenant(actor.environment, transaction, key)
        body = {"removed": removed, "roles": [told_of(each) for each in given]}
        return Change(AuditEvent("tenant.removed", replace(actor, tenant=key), body), None)

    def checked(self, environment: str, facts: FactsFile, there: StoredFacts) -> StoredFacts:
        """What of a facts file is new where ``there`` is already: each entry checked, as it would be alone.

        Pure, and takes seconds for a hundred thousand entries: not for the event loop.

        Raises:
            InvalidInput, NotFound, Conflict: as the writers of single entries.
        """
        vocabulary = self._vocabulary(environment)
        tenants = {*there.tenants, *(tenant.key for tenant in facts.tenants)}
        users = {user.key for user in (*there.users, *facts.users)}
        instances = {each.ref: each.tenant for each in facts.instances} | {
            each.ref: each.tenant for each in there.instances
        }
        for tenant in facts.tenants:
            vocabulary.check_key(tenant.key, "tenant")
            vocabulary.check_name(tenant.name, "tenant name")
        for user in facts.users:
            vocabulary.check_user(user)
        for instance in facts.instances:
            vocabulary.check_instance(instance)
            _need_tenant(instance.tenant in tenants)
            if instances[instance.ref] != instance.tenant:
                raise _other_tenant()
        for link in facts.tuples:
            vocabulary.check_tuple(link)
            _need_tenant(link.tenant in tenants)
            _need_instance(instances.get(link.subject) == link.tenant)
            _need_instance(instances.get(link.object) == link.tenant)
        for given in facts.assignments:
            vocabulary.check_role(given)
            _need_tenant(given.tenant in tenants)
            _need_user(given.user in users)
            _need_instance(given.resource is None or instances.get(given.resource) == given.tenant)
        known = {user.key for user in there.users}
        had = {*there.tuples}, {*there.assignments}, {each.ref for each in there.instances}, {*there.tenants}
        return StoredFacts(
            users=[user for user in facts.users if user.key not in known],
            tenants=[tenant.key for tenant in facts.tenants if tenant.key not in had[3]],
            instances=[each for each in facts.instances if each.ref not in had[2]],
            assignments=[each for each in facts.assignments if each not in had[1]],
            tuples=[each for each in facts.tuples if each not in had[0]],
        )

    async def _need_tenant(self, actor: Actor, transaction: Transaction, tenant: str) -> None:
        _need_tenant(await self._facts.tenant_name(actor.environment, transaction, tenant) is not None)

    async def _need_instance(self, actor: Actor, transaction: Transaction, ref: ResourceRef, tenant: str) -> None:
        found = await self._facts.instance(actor.environment, transaction, ref)
        _need_instance(found is not None and found.tenant == tenant)


def _need_tenant(there: bool) -> None:
    if not there:
        raise NotFound("There is no such tenant.", code="no_such_tenant", hint="Add the tenant first.")


def _need_user(there: bool) -> None:
    if not there:
        raise NotFound("There is no such user.", code="no_such_user", hint="Add the user first.")


def _need_instance(there: bool) -> None:
    if not there:
        raise NotFound("There is no such instance.", code="no_such_instance", hint="Use a key from a list.")


def _other_tenant() -> Conflict:
    return Conflict("That key exists in another tenant.", code="other_tenant", hint="Choose another key.")


def _gone(entries: list[Entry]) -> tuple[FactChange, ...]:
    return tuple(FactChange(each, removed=True) for each in entries)


def told_of(assignment: RoleAssignment) -> dict[str, Any]:
    """A role in the record of what took or gave several."""
    on = {} if assignment.resource is None else {"instance": str(assignment.resource)}
    return {"user": assignment.user, "role": assignment.role, "tenant": assignment.tenant, **on}


def assignment_event(name: str, actor: Actor, assignment: RoleAssignment) -> AuditEvent:
    """What is remembered of a role that was given or taken."""
    body = {"user": assignment.user, "role": assignment.role}
    if assignment.resource is not None:
        body["instance"] = str(assignment.resource)
    if assignment.expires_at is not None:
        body["expires_at"] = assignment.expires_at.isoformat()
    return AuditEvent(name, replace(actor, tenant=assignment.tenant), body)


def tuple_event(name: str, actor: Actor, link: RelationshipTuple) -> AuditEvent:
    """What is remembered of a relationship that began or ended."""
    body = {"subject": str(link.subject), "relation": link.relation, "object": str(link.object)}
    return AuditEvent(name, replace(actor, tenant=link.tenant), body)

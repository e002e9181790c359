"""Writing single entries, each checked against the policy and against what is there."""

from __future__ import annotations

from dataclasses import replace

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.directory.vocabulary import Vocabulary
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import Conflict, NotFound
from permit_core.identity import Actor
from permit_core.policy.model import PolicyModel
from permit_core.ports.record import AuditEvent
from permit_core.stores.facts import FactStore

Change = AuditEvent | None
"""What was changed, to be remembered; None when everything was so already."""


class EntryWriter:
    """Writes entries and answers what changed; whoever calls audits that and raises the version.

    What each method refuses is said at the method of the same name of :class:`permit_core.directory.sql.SqlDirectory`.
    """

    def __init__(self, model: PolicyModel, facts: FactStore) -> None:
        self._vocabulary = Vocabulary(model)
        self._facts = facts

    async def put_tenant(self, transaction: Transaction, key: str, name: str, actor: Actor) -> Change:
        """Add or rename."""
        self._vocabulary.check_key(key, "tenant")
        self._vocabulary.check_name(name, "tenant name")
        if await self._facts.tenant_name(transaction, key) == name:
            return None
        await self._facts.put_tenant(transaction, key, name)
        return AuditEvent("tenant.put", replace(actor, tenant=key), {"name": name})

    async def put_user(self, transaction: Transaction, user: User, actor: Actor) -> Change:
        """Add or replace."""
        self._vocabulary.check_user(user)
        if await self._facts.user(transaction, user.key) == user:
            return None
        await self._facts.put_user(transaction, user)
        return AuditEvent("user.put", actor, {"user": user.key})

    async def put_instance(self, transaction: Transaction, instance: ResourceInstance, actor: Actor) -> Change:
        """Add or replace."""
        self._vocabulary.check_instance(instance)
        await self._need_tenant(transaction, instance.tenant)
        before = await self._facts.instance(transaction, instance.ref)
        if before == instance:
            return None
        if before is not None and before.tenant != instance.tenant:
            raise Conflict("That key exists in another tenant.", code="other_tenant", hint="Choose another key.")
        await self._facts.put_instance(transaction, instance)
        body = {"instance": str(instance.ref), "attributes": dict(instance.attributes)}
        return AuditEvent("instance.put", replace(actor, tenant=instance.tenant), body)

    async def assign(self, transaction: Transaction, assignment: RoleAssignment, actor: Actor) -> Change:
        """Give a role."""
        self._vocabulary.check_role(assignment)
        await self._need_tenant(transaction, assignment.tenant)
        if await self._facts.user(transaction, assignment.user) is None:
            raise NotFound("There is no such user.", code="no_such_user", hint="Add the user first.")
        if assignment.resource is not None:
            await self._need_instance(transaction, assignment.resource, assignment.tenant)
        if await self._facts.has_assignment(transaction, assignment):
            return None
        await self._facts.add_assignment(transaction, assignment)
        return assignment_event("role.assigned", actor, assignment)

    async def unassign(self, transaction: Transaction, assignment: RoleAssignment, actor: Actor) -> Change:
        """Take a role away."""
        if not await self._facts.has_assignment(transaction, assignment):
            return None
        await self._facts.remove_assignment(transaction, assignment)
        return assignment_event("role.unassigned", actor, assignment)

    async def relate(self, transaction: Transaction, link: RelationshipTuple, actor: Actor) -> Change:
        """Put two instances in relation."""
        self._vocabulary.check_tuple(link)
        await self._need_tenant(transaction, link.tenant)
        await self._need_instance(transaction, link.subject, link.tenant)
        await self._need_instance(transaction, link.object, link.tenant)
        if await self._facts.has_tuple(transaction, link):
            return None
        await self._facts.add_tuple(transaction, link)
        return tuple_event("relationship.added", actor, link)

    async def unrelate(self, transaction: Transaction, link: RelationshipTuple, actor: Actor) -> Change:
        """Take two instances out of a relation."""
        if not await self._facts.has_tuple(transaction, link):
            return None
        await self._facts.remove_tuple(transaction, link)
        return tuple_event("relationship.removed", actor, link)

    async def _need_tenant(self, transaction: Transaction, tenant: str) -> None:
        if await self._facts.tenant_name(transaction, tenant) is None:
            raise NotFound("There is no such tenant.", code="no_such_tenant", hint="Add the tenant first.")

    async def _need_instance(self, transaction: Transaction, ref: ResourceRef, tenant: str) -> None:
        found = await self._facts.instance(transaction, ref)
        if found is None or found.tenant != tenant:
            raise NotFound("There is no such instance.", code="no_such_instance", hint="Use a key from a list.")


def assignment_event(name: str, actor: Actor, assignment: RoleAssignment) -> AuditEvent:
    """What is remembered of a role that was given or taken."""
    body = {"user": assignment.user, "role": assignment.role}
    if assignment.resource is not None:
        body["instance"] = str(assignment.resource)
    return AuditEvent(name, replace(actor, tenant=assignment.tenant), body)


def tuple_event(name: str, actor: Actor, link: RelationshipTuple) -> AuditEvent:
    """What is remembered of a relationship that began or ended."""
    body = {"subject": str(link.subject), "relation": link.relation, "object": str(link.object)}
    return AuditEvent(name, replace(actor, tenant=link.tenant), body)

"""The question the other way round: who could be allowed to do something? For finding reviewers without asking everybody."""

from __future__ import annotations

from typing import NamedTuple

from permit_core.access import ResourceRef
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.relations import MAX_STEPS, MAX_VISITED

GivenRole = tuple[ResourceRef | None, str]
"""A role on an instance, or under None tenant-wide."""


class Sources(NamedTuple):
    """Where a permission can come from.

    Attributes:
        roles: somebody who was given none of these is not allowed, but by ``anyone``; somebody who was given one may be.
        anyone: whether a rule on users' attributes may allow others as well.
    """

    roles: frozenset[GivenRole]
    anyone: bool


def sources_of(model: PolicyModel, facts: Facts, action: str, resource: ResourceRef) -> Sources:
    """Which given roles could allow ``action`` on ``resource``. Whoever holds one is to be decided on; nobody else is.

    Pure, and as cheap as a decision: it looks at what stands above the resource and not at users.
    """
    index, key = model.index, (resource.type, action)
    roles: set[GivenRole] = {(None, grant.role) for grant in index.tenant_grants.get(key, ())}
    on_instance = set(index.instance_roles.get(key, ()))
    anyone = False
    for rule in index.set_rules.get(key, ()):
        if rule.tenant_role is not None:
            roles.add((None, rule.tenant_role))
        elif rule.object_role is not None:
            on_instance.add(rule.object_role)
        else:
            anyone = True
    if resource.key is not None:
        roles.update(_above(model, facts, resource, on_instance))
    return Sources(frozenset(roles), anyone)


def _above(model: PolicyModel, facts: Facts, resource: ResourceRef, roles: set[str]) -> set[tuple[ResourceRef, str]]:
    """The roles on the instance, and those on related instances that they are derived from."""
    found = {(resource, role) for role in roles}
    level = found
    for _ in range(MAX_STEPS):
        level = {
            (subject, by.role)
            for on, role in level
            for by in model.index.derivations.get((on.type, role), ())
            for subject in facts.subjects_of(on, by.relation)
            if subject.type == by.resource
        } - found
        if not level or len(found) > MAX_VISITED:
            break
        found |= level
    return found

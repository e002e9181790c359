"""The question the other way round: who could be allowed to do something? For finding reviewers without asking everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from permit_core.access import ResourceRef
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.relations import MAX_STEPS, MAX_VISITED
from permit_core.policy.schema import ResourceRole, TenantRole

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


def permissions_of(model: PolicyModel, kind: str | None, role: str) -> frozenset[tuple[str, str]]:
    """Type and action of everything that a role can let its holder do, there and on whatever is related to it.

    Args:
        model: the policy.
        kind: the type that it is held on; None for one that is held in a whole tenant.
        role: the role, with what it extends.
    """
    index = model.index
    if kind is None:
        extended = _extended(role, model.roles)
        granted = {key for key, grants in index.tenant_grants.items() if any(each.role == role for each in grants)}
        by_rule = {key for key, rules in index.set_rules.items() if any(each.tenant_role in extended for each in rules)}
        return frozenset(granted | by_rule)
    held: set[tuple[str, str]] = set()
    found = {(kind, role)}
    while found - held:
        held |= found
        for of, base in tuple(held):
            declared = model.resource_type(of)
            found |= {(of, each) for each in _extended(base, declared.roles if declared is not None else {})}
        found |= {
            derived for derived, ways in index.derivations.items() if any((by.resource, by.role) in held for by in ways)
        }
    granted = {key for key, roles in index.instance_roles.items() if any((key[0], each) in held for each in roles)}
    by_rule = {
        key for key, rules in index.set_rules.items() if any((key[0], each.object_role) in held for each in rules)
    }
    return frozenset(granted | by_rule)


def _extended(role: str, declared: Mapping[str, TenantRole] | Mapping[str, ResourceRole]) -> set[str]:
    """A role and all that it extends."""
    found = [role] if role in declared else []
    for each in found:  # grows while it is walked
        found.extend(base for base in declared[each].extends if base not in found)
    return set(found)


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

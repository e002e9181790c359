"""What a refused user can ask for instead: found by asking "what if", so that it is sure to help."""

from __future__ import annotations

from collections.abc import Callable

from permit_core.access import Check, Decision, Effect, Remedy
from permit_core.entries import RoleAssignment
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.relations import ancestors

MAX_REMEDIES = 10


def find_remedies(
    model: PolicyModel, facts: Facts, check: Check, decide: Callable[[Facts], Decision]
) -> tuple[Remedy, ...]:
    """The access requests that would help.

    A role is offered when the user may ask for it, it stands on the instance or on something above it, and with it the
    same check would no longer be denied.

    ``decide`` gives the bare decision on the check under other facts; it must look for no remedies of its own.
    """
    held = facts.direct_roles(check.user, check.tenant, None)
    rules = [rule for rule in model.access_requests if rule.asked_by.intersection(held)]
    if not rules or check.resource.key is None:
        return ()
    found: list[Remedy] = []
    for ref in ancestors(model, facts, check.resource):
        for rule in rules:
            if rule.resource != ref.type or len(found) == MAX_REMEDIES:
                continue
            with_role = facts.assuming(RoleAssignment(check.user, rule.role, check.tenant, ref))
            if decide(with_role).effect is not Effect.DENY:
                found.append(Remedy("access_request", str(ref), role=rule.role))
    return tuple(found)

"""Which roles a user holds on an instance, directly or derived along relations, and by which chain of facts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from permit_core.access import Check, ResourceRef
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.policy_index import DerivedFrom

MAX_STEPS = 16
"""How many relations a derived role may be away from the role that was given. Farther ones do not count."""

Derivations = Mapping[tuple[str, str], tuple[DerivedFrom, ...]]


@dataclass(frozen=True, slots=True)
class Derived:
    """One step of a chain: a role on ``subject`` gives, by ``by``, the role ``gives`` on ``ref``."""

    subject: ResourceRef
    by: DerivedFrom
    ref: ResourceRef
    gives: str


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that a user holds on an instance.

    Attributes:
        role: the role on the instance that was asked about.
        given_role: the role that somebody was really given, on ``given_on``.
        steps: how the one follows from the other; empty for a role held directly.
    """

    role: str
    given_role: str
    given_on: ResourceRef
    steps: tuple[Derived, ...] = ()

    def lines(self, user: str) -> Iterator[str]:
        """The chain, the given role first."""
        yield f"user {user} has role {self.given_role} on {self.given_on}"
        for step in self.steps:
            yield f"{step.subject} is {step.by.relation} of {step.ref}"
            yield f"so user {user} has role {step.gives} on {step.ref} ({step.by.rule})"


def find_holding(model: PolicyModel, facts: Facts, check: Check, roles: Sequence[str]) -> Holding | None:
    """The shortest way in which the user of a check holds one of ``roles`` on its instance; None when there is none.

    A derivation has one premise, "a role on a linked instance", so this is a search from what is asked for back to what
    was given. Every (instance, role) is visited once: circles of tuples or of derivations end by themselves.
    """
    ref = check.resource
    direct = facts.direct_roles(check.user, check.tenant, ref)
    for role in roles:
        if role in direct:
            return Holding(role, role, ref)
    derivations = model.index.derivations
    seen = {(ref, role) for role in roles}
    todo: deque[tuple[ResourceRef, str, tuple[Derived, ...]]] = deque((ref, role, ()) for role in roles)
    while todo:
        on, role, steps = todo.popleft()
        if len(steps) == MAX_STEPS:
            continue
        for step in _premises(derivations, facts, check, on, role):
            source = (step.subject, step.by.role)
            if source in seen:
                continue
            seen.add(source)
            chain = (step, *steps)
            if step.by.role in facts.direct_roles(check.user, check.tenant, step.subject):
                return Holding(chain[-1].gives, step.by.role, step.subject, chain)
            todo.append((*source, chain))
    return None


def _premises(derivations: Derivations, facts: Facts, check: Check, on: ResourceRef, role: str) -> Iterator[Derived]:
    """What would give ``role`` on ``on``, one step back."""
    for by in derivations.get((on.type, role), ()):
        if by.unless_direct and facts.direct_roles(check.user, check.tenant, on):
            continue
        for subject in facts.subjects_of(on, by.relation):
            # Both ends of a tuple are in its tenant, and it was reached from an instance of this tenant.
            if subject.type == by.resource:
                yield Derived(subject, by, on, role)


def ancestors(model: PolicyModel, facts: Facts, ref: ResourceRef) -> list[ResourceRef]:
    """``ref`` and whatever stands above it in relations that its type declares; nearest first."""
    found, seen, level = [ref], {ref}, [ref]
    for _ in range(MAX_STEPS):
        above: list[ResourceRef] = []
        for each in level:
            kind = model.resource_type(each.type)
            for relation, subject_type in (kind.relations if kind else {}).items():
                for subject in facts.subjects_of(each, relation):
                    if subject.type == subject_type and subject not in seen:
                        seen.add(subject)
                        above.append(subject)
        if not above:
            break
        found.extend(above)
        level = above
    return found

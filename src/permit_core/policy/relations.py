"""Which roles a user holds on an instance, directly or derived along relations, and by which chain of facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from permit_core.access import ResourceRef
from permit_core.policy.facts import Facts, Held
from permit_core.policy.model import PolicyModel
from permit_core.policy.policy_index import DerivedFrom, PolicyIndex

MAX_STEPS = 16
"""How many relations a derived role may be away from the role that was given. Farther ones do not count."""

Derivations = Mapping[tuple[str, str], tuple[DerivedFrom, ...]]

Path = tuple[ResourceRef, str, "DerivedFrom | None", "Path | None"]
"""A role on an instance, how it gives the next role of the path, and that rest; None, None where the search began.

Plain tuples: a search makes one for each step it looks at, and most lead nowhere.
"""


class Holding(NamedTuple):
    """A role that a user holds on an instance.

    Attributes:
        role: the role on the instance that was asked about.
        path: from the role that somebody was really given to that one; of one step for a role held directly.
    """

    role: str
    path: Path

    def lines(self, user: str) -> Iterator[str]:
        """The chain, the given role first."""
        on, given, by, towards = self.path
        yield f"user {user} has role {given} on {on}"
        while by is not None and towards is not None:
            subject, (on, gives, further, rest) = on, towards
            yield f"{subject} is {by.relation} of {on}"
            yield f"so user {user} has role {gives} on {on} ({by.rule})"
            by, towards = further, rest


def find_holding(
    index: PolicyIndex, facts: Facts, held: Held, asked: ResourceRef, roles: Sequence[str]
) -> Holding | None:
    """The shortest way in which a user who was given ``held`` holds one of ``roles`` on ``asked``; None if none is.

    A derivation has one premise, "a role on a linked instance", so this is a search from what is asked for back to what
    was given. Every (instance, role) is visited once: circles of tuples or of derivations end by themselves.
    """
    direct = held.get(asked, ())
    for role in roles:
        if role in direct:
            return Holding(role, (asked, role, None, None))
    if not held or (len(held) == 1 and None in held):
        return None  # nothing is held on any instance, so nothing is derived
    derivations, subjects = index.derivations, facts.subjects
    seen = {(asked, role) for role in roles}
    level: list[Path] = [(asked, role, None, None) for role in roles]
    for _ in range(MAX_STEPS):
        above: list[Path] = []
        for path in level:
            on = path[0]
            for by in derivations.get((on.type, path[1]), ()):
                if by.unless_direct and on in held:
                    continue
                # Both ends of a tuple are in its tenant, and it was reached from an instance of this tenant.
                for subject in subjects.get((on, by.relation), ()):
                    source = (subject, by.role)
                    if source in seen or subject.type != by.resource:
                        continue
                    found = (subject, by.role, by, path)
                    if subject in held and by.role in held[subject]:
                        return Holding(_asked_role(found), found)
                    seen.add(source)
                    above.append(found)
        level = above
    return None


def _asked_role(path: Path) -> str:
    while path[3] is not None:
        path = path[3]
    return path[1]


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

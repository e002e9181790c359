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

MAX_VISITED = 10_000
"""How many roles on instances one search looks at. What is farther does not count: a graph that is wider is as good as
unbounded, and a decision must end."""

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


class Search(NamedTuple):
    """What a search came to: the holding, if there is one, and whether a limit ended it before everything was seen.

    ``limit`` says which, for people; None when everything was seen or a holding was found.
    """

    holding: Holding | None
    limit: str | None = None


_NOWHERE = Search(None)
_TOO_FAR = Search(None, f"roles more than {MAX_STEPS} relations away were not looked at")
_TOO_WIDE = Search(None, f"after {MAX_VISITED} roles on related instances the search ended")


def find_holding(
    index: PolicyIndex, facts: Facts, held: Held, asked: ResourceRef, roles: Sequence[str]
) -> Holding | None:
    """The shortest way in which a user who was given ``held`` holds one of ``roles`` on ``asked``; None if none is."""
    return search(index, facts, held, asked, roles).holding


def search(index: PolicyIndex, facts: Facts, held: Held, asked: ResourceRef, roles: Sequence[str]) -> Search:
    """As :func:`find_holding`, and whether a limit kept it from looking farther.

    A derivation has one premise, "a role on a linked instance", so this is a search from what is asked for back to what
    was given. Every (instance, role) is visited once: circles of tuples or of derivations end by themselves.
    """
    direct = held.get(asked, ())
    given = next((role for role in roles if role in direct), None)
    if given is not None:
        return Search(Holding(given, (asked, given, None, None)))
    if not held or (len(held) == 1 and None in held):
        return _NOWHERE  # nothing is held on any instance, so nothing is derived
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
                        return Search(Holding(_asked_role(found), found))
                    seen.add(source)
                    above.append(found)
                if len(seen) > MAX_VISITED:
                    return _TOO_WIDE
        if not above:
            return _NOWHERE
        level = above
    return _TOO_FAR if _leads_on(index, facts, level) else _NOWHERE


def _leads_on(index: PolicyIndex, facts: Facts, level: Sequence[Path]) -> bool:
    """Whether there would be anything to look at one relation farther."""
    return any(
        facts.subjects.get((path[0], by.relation))
        for path in level
        for by in index.derivations.get((path[0].type, path[1]), ())
    )


def depth_warnings(model: PolicyModel, facts: Facts) -> list[str]:
    """What to say of facts whose relations go farther than roles are derived; empty when none do."""
    deep = _too_deep(model.index, facts)
    if deep is None:
        return []
    return [
        f"above {deep} there are more than {MAX_STEPS} relations in a row: a role that is given farther away does not count"
    ]


def _too_deep(index: PolicyIndex, facts: Facts) -> ResourceRef | None:
    """The first instance, by name, above which relations that derive roles go on for too long."""
    along: dict[str, set[str]] = {}
    for (kind, _), rules in index.derivations.items():
        along.setdefault(kind, set()).update(rule.relation for rule in rules)
    linked = [ref for ref, relation in facts.subjects if relation in along.get(ref.type, ())]
    for ref in sorted(set(linked), key=str):
        level, seen = {ref}, {ref}
        for _ in range(MAX_STEPS + 1):
            level = {
                subject
                for each in level
                for relation in along.get(each.type, ())
                for subject in facts.subjects.get((each, relation), ())
            } - seen
            seen |= level
            if not level or len(seen) > MAX_VISITED:
                break
        else:
            return ref
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
        if len(found) > MAX_VISITED:
            break
    return found[:MAX_VISITED]

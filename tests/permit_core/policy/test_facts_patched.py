"""A patched state of the facts says what one made anew of the same facts says, and the one before stays as it was."""

from random import Random
from typing import Any

import pytest

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import MOST_PATCHED, Entry, FactChange, Facts

TENANT = "home"


class World:
    """The facts as plain sets, changed one by one."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.tenants = {TENANT}
        self.instances: dict[ResourceRef, ResourceInstance] = {}
        self.given: set[RoleAssignment] = set()
        self.links: set[RelationshipTuple] = set()

    def facts(self) -> Facts:
        return Facts.of(self.users.values(), self.tenants, self.instances.values(), self.given, self.links)

    def change(self, chance: Random) -> list[FactChange]:
        kind, number = chance.randrange(6), chance.randrange(40)
        ref = ResourceRef(chance.choice(["box", "lid"]), str(number))
        if kind == 0:
            return [self._toggle_tenant(f"t{number % 3}")]
        if kind == 1:
            user = User(str(number), f"Name {chance.random()}")
            if user.key in self.users and chance.random() < 0.5:
                return [FactChange(self.users.pop(user.key), removed=True)]
            self.users[user.key] = user
            return [FactChange(user)]
        if kind in {2, 3}:
            if ref in self.instances and chance.random() < 0.3:
                return self._remove_instance(ref)
            self.instances[ref] = ResourceInstance(ref, TENANT, {"n": chance.random()})
            return [FactChange(self.instances[ref])]
        if kind == 4:
            on = chance.choice([None, ref])
            return [self._toggle(self.given, RoleAssignment(str(number % 5), chance.choice("abc"), TENANT, on))]
        if len(self.instances) < 2:
            return []
        ends = chance.sample(sorted(self.instances), 2)
        return [self._toggle(self.links, RelationshipTuple(ends[0], chance.choice("rs"), ends[1], TENANT))]

    def _toggle_tenant(self, key: str) -> FactChange:
        there = key in self.tenants
        self.tenants ^= {key}
        return FactChange(key, removed=there)

    def _toggle(self, kept: set[Any], entry: Entry) -> FactChange:
        there = entry in kept
        kept ^= {entry}
        return FactChange(entry, removed=there)

    def _remove_instance(self, ref: ResourceRef) -> list[FactChange]:
        gone: list[Entry] = [each for each in self.links if ref in {each.subject, each.object}]
        self.links -= set(gone)
        return [FactChange(each, removed=True) for each in [*gone, self.instances.pop(ref)]]


def said(facts: Facts) -> tuple[object, ...]:
    lists = {(kind, tenant): facts.instances_of(kind, tenant) for kind in ("box", "lid") for tenant in (TENANT, "t1")}
    indexes = (facts.users, facts.instances, facts.held, facts.subjects, facts.objects)
    return facts.tenants, lists, *(dict(index) for index in indexes), *(len(index) for index in indexes)


@pytest.mark.parametrize("seed", range(5))
def test_a_patched_state_says_what_one_made_anew_says(seed: int) -> None:
    chance, world = Random(seed), World()
    facts = world.facts()
    for _ in range(MOST_PATCHED * 3):
        before, told = facts, said(facts) if chance.random() < 0.02 else None
        facts = facts.patched(world.change(chance))
        if told is not None:
            assert said(before) == told
    assert said(facts) == said(world.facts())
    assert "nobody" not in facts.users
    assert facts.users.get("nobody") is None
    with pytest.raises(KeyError):
        facts.users["nobody"]


def test_many_changes_at_once_make_the_index_anew() -> None:
    many = [User(str(number), "Somebody") for number in range(MOST_PATCHED * 2)]
    boxes = [ResourceInstance(ResourceRef("box", str(number)), TENANT) for number in range(MOST_PATCHED * 2)]
    both: list[Entry] = [*many, *boxes]
    facts = Facts.of([], [TENANT], [], [], []).patched([FactChange(each) for each in both])
    assert said(facts) == said(Facts.of(many, [TENANT], boxes, [], []))
    emptied = facts.patched([FactChange(each, removed=True) for each in both])
    assert said(emptied) == said(Facts.of([], [TENANT], [], [], []))

"""Searching is bounded in depth and in breadth, and says where a bound ended it."""

from collections.abc import Callable

import pytest

from permit_core.access import Check, Effect, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.relations import MAX_STEPS, MAX_VISITED, depth_warnings
from permit_core.policy.reverse import sources_of
from tests.support.policies import policy_of
from tests.support.random_policies import random_round

MODEL = policy_of("""
resources:
  node:
    actions: [read, burn, review]
    relations: {parent: node, other: node}
    roles:
      editor:
        permissions: [read, review]
        granted_to: {users_with_role: [{role: editor, on_resource: node, linked_by_relation: parent}]}
roles: {asker: {}, reviewer: {permissions: [node:review]}}
user_attributes: {level: {type: number}}
user_sets: {seniors: {conditions: {user.level: {greater-than: 5}}}}
set_rules:
  - {user_set: seniors, permission: "node:burn", resource_set: node, is_resource: true}
access_requests:
  - {resource: node, role: editor, asked_by: [asker], review_action: review, pending_expires: 1 day}
""")


def ref(number: int) -> ResourceRef:
    return ResourceRef("node", f"n{number}")


def facts(links: list[tuple[int, int]], held: int | None, relation: str = "parent") -> Facts:
    """Nodes, each pair (above, below) in relation, and Ann, who is editor of one node."""
    numbers = {number for pair in links for number in pair} | {0, held or 0}
    given = [RoleAssignment("ann", "editor", "default", ref(held))] if held is not None else []
    return Facts.of(
        [User("ann", "Ann")],
        ["default"],
        [ResourceInstance(ref(number), "default") for number in numbers],
        [*given, RoleAssignment("ann", "asker", "default")],
        [RelationshipTuple(ref(above), relation, ref(below), "default") for above, below in links],
    )


def reading(number: int, stored: Facts) -> tuple[Effect, tuple[str, ...]]:
    decision = decide(MODEL, stored, Check(Actor("default", "default", "ann"), "read", ref(number)))
    return decision.effect, decision.chain


def chain(length: int) -> list[tuple[int, int]]:
    return [(number, number + 1) for number in range(length)]


def test_sixteen_relations_away_counts_and_seventeen_says_why_not() -> None:
    stored = facts(chain(17), held=0)

    assert reading(16, stored)[0] is Effect.ALLOW
    effect, lines = reading(17, stored)
    assert effect is Effect.DENY
    assert f"roles more than {MAX_STEPS} relations away were not looked at" in lines


def test_a_limit_that_nothing_lies_behind_is_not_named() -> None:
    assert "relations away" not in " ".join(reading(16, facts(chain(16), held=99))[1])
    assert "relations away" in " ".join(reading(17, facts(chain(17), held=99))[1])


def test_facts_that_go_deeper_than_roles_do_are_warned_of() -> None:
    assert depth_warnings(MODEL, facts(chain(16), held=0)) == []
    assert depth_warnings(MODEL, facts(chain(40), held=0, relation="other")) == []
    (warning,) = depth_warnings(MODEL, facts(chain(17), held=0))
    assert (
        warning
        == "above node:n17 there are more than 16 relations in a row: a role that is given farther away does not count"
    )
    circle = facts([*chain(30), (30, 0)], held=0)
    assert len(depth_warnings(MODEL, circle)) == 1


@pytest.mark.parametrize(
    "shape", [lambda n: [(n + 1, 0) for n in range(n)], lambda n: [(n + 2, n % 2) for n in range(n)]]
)
def test_a_wide_graph_ends_the_search_and_says_so(shape: Callable[[int], list[tuple[int, int]]]) -> None:
    wide = facts([*shape(MAX_VISITED + 10), (1, 0)], held=99_999)

    effect, lines = reading(0, wide)

    assert effect is Effect.DENY
    assert f"after {MAX_VISITED} roles on related instances the search ended" in lines
    assert reading(0, facts([(number + 1, 0) for number in range(100)], held=77))[0] is Effect.ALLOW


def test_remedies_of_a_wide_graph_are_bounded_too() -> None:
    wide = facts([(number + 1, 0) for number in range(MAX_VISITED + 10)], held=None)
    decision = decide(MODEL, wide, Check(Actor("default", "default", "ann"), "read", ref(0)))

    assert len(decision.remedies) == 10


def test_whoever_may_be_allowed_holds_one_of_the_sources() -> None:
    stored = facts([(1, 0), (2, 1), (3, 9)], held=2)

    found = sources_of(MODEL, stored, "review", ref(0))
    assert found.roles == {(None, "reviewer"), *((ref(number), "editor") for number in (0, 1, 2))}
    assert not found.anyone
    assert sources_of(MODEL, stored, "review", ResourceRef("node", None)).roles == {(None, "reviewer")}
    assert sources_of(MODEL, stored, "burn", ref(0)) == (frozenset(), True)


@pytest.mark.parametrize("seed", range(20))
def test_nobody_is_allowed_without_a_source(seed: int) -> None:
    drawn = random_round(seed, 60)
    for check in drawn.checks:
        if decide(drawn.model, drawn.facts, check).effect is not Effect.ALLOW:
            continue
        sources = sources_of(drawn.model, drawn.facts, check.action, check.resource)
        held = drawn.facts.held_by(check.actor.user, check.actor.tenant)
        assert sources.anyone or any((on, role) in sources.roles for on, roles in held.items() for role in roles)

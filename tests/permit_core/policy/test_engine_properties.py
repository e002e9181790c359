"""Whatever the facts are: what the engine promises for all of them."""

import copy
import random
from collections.abc import Iterable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from permit_core.access import Check, Effect, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from tests.support.policies import policy_of

POLICY = """
    user_attributes: {level: {type: number}}
    resources:
      team:
        actions: [read]
        relations: {parent: team, folder: folder}
        roles:
          member:
            permissions: [read]
            granted_to:
              users_with_role: [{role: member, on_resource: team, linked_by_relation: parent}]
          owner:
            extends: [member]
            granted_to:
              users_with_role: [{role: editor, on_resource: folder, linked_by_relation: folder}]
      folder:
        actions: [read, write, share]
        attributes: {size: {type: number}}
        relations: {parent: folder, team: team}
        roles:
          reader:
            permissions: [read]
            granted_to:
              users_with_role:
                - {role: reader, on_resource: folder, linked_by_relation: parent}
                - {role: member, on_resource: team, linked_by_relation: team}
                - {role: editor, on_resource: folder, linked_by_relation: parent}
          editor:
            permissions: [write]
            extends: [reader]
            granted_to:
              when: {no_direct_roles_on_object: WHEN}
              users_with_role:
                - {role: owner, on_resource: team, linked_by_relation: team}
                - {role: editor, on_resource: folder, linked_by_relation: parent}
    roles:
      boss: {permissions: ["folder:read"], extends: [clerk]}
      clerk: {permissions: ["team:read"]}
    user_sets:
      bosses: {conditions: {user.roles: {array_contains: boss}}}
      seniors: {conditions: {not: {user.level: {less-than: 5}}}}
    resource_sets:
      small: {resource: folder, conditions: {resource.size: {less-than: 5}}}
    set_rules:
      - {user_set: bosses, permission: "folder:share", resource_set: small}
      - {user_set: seniors, permission: "folder:write", resource_set: small}
      - {user_set: "folder#editor", is_role: true, permission: "folder:share", resource_set: small}
    access_requests:
      - {resource: folder, role: reader, asked_by: [clerk], review_action: share, pending_expires: 1 day}
      - {resource: team, role: owner, asked_by: [boss], review_action: read, pending_expires: 1 day}
    operation_approvals:
      - {resource: folder, operation: share, asked_by: [reader], review_action: write,
         pending_expires: 1 day, approval_expires: 1 hour}
"""
PLAIN = policy_of(POLICY.replace("WHEN", "false"))
NO_DIRECT = policy_of(POLICY.replace("WHEN", "true"))

USERS = ["henry", "rose"]
TENANTS = ["default", "other"]
REFS = [ResourceRef("team", key) for key in "ab"] + [ResourceRef("folder", key) for key in "abcd"]
RANK = [Effect.DENY, Effect.REQUIRE_APPROVAL, Effect.ALLOW]

# Leaning towards facts that allow something: evenly drawn ones deny nearly everything, and prove little.
tenants = st.sampled_from(["default"] * 7 + ["other"])
users = st.tuples(*[
    st.builds(User, st.just(key), st.just("X"), attributes=st.fixed_dictionaries({}, optional={"level": st.integers(0, 9)}))
    for key in USERS
])  # fmt: skip
instances = st.tuples(*[
    st.builds(ResourceInstance, st.just(ref), tenants, st.fixed_dictionaries({}, optional={"size": st.integers(0, 9)}))
    for ref in REFS
])  # fmt: skip
GRANTS = [(role, ref) for ref in REFS for role in PLAIN.resources[ref.type].roles]
somebody = st.sampled_from(["henry", "henry", "henry", "rose"])
instance_roles = st.builds(
    lambda user, grant, tenant: RoleAssignment(user, grant[0], tenant, grant[1]),
    somebody,
    st.sampled_from(GRANTS),
    tenants,
)
tenant_roles = st.builds(RoleAssignment, somebody, st.sampled_from(["boss", "clerk"]), tenants)
assignments = st.one_of(instance_roles, instance_roles, tenant_roles)
# Mostly links that the policy knows: others could not do any harm, and would leave little to decide.
LINKS = [
    (subject, relation, each)
    for each in REFS
    for relation, kind in PLAIN.resources[each.type].relations.items()
    for subject in REFS
    if subject.type == kind
]
tuples = st.builds(
    lambda link, tenant: RelationshipTuple(link[0], link[1], link[2], tenant),
    st.one_of(st.sampled_from(LINKS), st.just((REFS[0], "team", REFS[1]))),
    tenants,
)
given_facts = st.tuples(
    users, instances, st.lists(assignments, min_size=2, max_size=5), st.lists(tuples, min_size=8, max_size=16)
)
models = st.sampled_from([PLAIN, NO_DIRECT])
bounded = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Given = tuple[tuple[User, ...], tuple[ResourceInstance, ...], list[RoleAssignment], list[RelationshipTuple]]


def facts_of(given: Given, *more: RoleAssignment) -> Facts:
    return Facts.of(given[0], TENANTS, given[1], [*given[2], *more], given[3])


def checks(user: str) -> Iterable[Check]:
    for ref in [*REFS, ResourceRef("folder"), ResourceRef("team"), ResourceRef("folder", "unheard-of")]:
        for action in PLAIN.resources[ref.type].actions:
            yield Check(Actor("default", "default", user), action, ref)


@bounded
@given(given_facts, assignments)
def test_one_more_assignment_never_takes_a_permission_away(before: Given, more: RoleAssignment) -> None:
    less, greater = facts_of(before), facts_of(before, more)
    for check in checks(more.user):
        was, now = decide(PLAIN, less, check), decide(PLAIN, greater, check)
        assert RANK.index(now.effect) >= RANK.index(was.effect), check


@bounded
@given(given_facts, instance_roles)
def test_only_a_direct_role_on_an_object_can_silence_what_is_derived(before: Given, more: RoleAssignment) -> None:
    less, greater = facts_of(before), facts_of(before, more)
    if less.direct_roles(more.user, more.tenant, more.resource):
        for check in checks(more.user):
            was, now = decide(NO_DIRECT, less, check), decide(NO_DIRECT, greater, check)
            assert RANK.index(now.effect) >= RANK.index(was.effect), check


@bounded
@given(models, given_facts, st.randoms(use_true_random=False))
def test_a_decision_is_a_pure_function_and_the_order_of_facts_does_not_matter(
    model: PolicyModel, before: Given, chance: random.Random
) -> None:
    shuffled: list[list[object]] = [list(each) for each in before]
    for each in shuffled:
        chance.shuffle(each)
    first = facts_of(before)
    second = Facts.of(shuffled[0], reversed(TENANTS), shuffled[1], shuffled[2] * 2, shuffled[3] * 2)  # type: ignore[arg-type]
    kept = copy.deepcopy(first)
    for check in checks("henry"):
        decision = decide(model, first, check)
        assert decision == decide(model, first, check) == decide(model, second, check)
    assert first == kept


def held_by_fixpoint(model: PolicyModel, facts: Facts, user: str) -> set[tuple[ResourceRef, str]]:
    """The slow and simple way: derive until nothing is new. Good for the tenant ``default``."""
    here = [ref for ref, each in facts.instances.items() if each.tenant == "default"]
    held = {(ref, role) for ref in here for role in facts.direct_roles(user, "default", ref)}
    while True:
        new = {
            (ref, role)
            for (kind, role), rules in model.index.derivations.items()
            for ref in here
            if ref.type == kind
            for by in rules
            if not (by.unless_direct and facts.direct_roles(user, "default", ref))
            for subject in facts.subjects_of(ref, by.relation)
            if (subject, by.role) in held and subject.type == by.resource
        }
        if new <= held:
            return held
        held |= new


@bounded
@given(models, given_facts)
def test_roles_are_those_of_the_least_fixpoint(model: PolicyModel, before: Given) -> None:
    facts = facts_of(before)
    held = held_by_fixpoint(model, facts, "henry")
    for (kind, action), grants in model.index.instance_grants.items():
        for ref in REFS:
            if ref.type == kind and facts.instances[ref].tenant == "default":
                decision = decide(model, facts, Check(Actor("default", "default", "henry"), action, ref))
                if any((ref, grant.role) in held for grant in grants):
                    assert decision.effect is Effect.ALLOW
                elif decision.effect is Effect.ALLOW:
                    assert decision.reason_code in {"tenant_role", "condition_set"}


@bounded
@given(models, given_facts)
def test_what_is_offered_helps(model: PolicyModel, before: Given) -> None:
    facts = facts_of(before)
    for check in checks("henry"):
        for remedy in decide(model, facts, check).remedies:
            if remedy.kind == "access_request":
                assert remedy.role is not None
                more = RoleAssignment("henry", remedy.role, "default", ResourceRef.parse(remedy.resource_instance))
                assert decide(model, facts_of(before, more), check).effect is not Effect.DENY
            else:
                assert decide(model, facts, check).effect is Effect.REQUIRE_APPROVAL


@bounded
@given(models, given_facts)
def test_nothing_crosses_tenants(model: PolicyModel, before: Given) -> None:
    facts = facts_of(before)
    stranger = Facts.of(
        before[0], TENANTS, before[1], [each for each in before[2] if each.tenant != "default"], before[3]
    )
    for check in checks("henry"):
        instance = facts.instances.get(check.resource)
        if instance is not None and instance.tenant != "default":
            assert decide(model, facts, check).reason_code == "tenant_mismatch"
        if decide(model, stranger, check).effect is Effect.ALLOW:
            assert decide(model, stranger, check).reason_code == "condition_set"

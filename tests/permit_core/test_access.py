"""The question and the answer."""

import copy
import pickle
from typing import Any

import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from tests.support.policies import facts_of, policy_of

POLICY = policy_of("""
    resources:
      book:
        actions: [read]
        attributes: {pages: {type: json}}
        roles: {reader: {permissions: [read]}}
    roles: {guest: {}}
    user_sets: {anybody: {conditions: {user.roles: {array_contains: guest}}}}
    resource_sets: {thin: {resource: book, conditions: {resource.pages.many: {less-than: 100}}}}
    set_rules: [{user_set: anybody, permission: "book:read", resource_set: thin}]
    access_requests:
      - {resource: book, role: reader, asked_by: [guest], review_action: read, pending_expires: 1 day}
""")
FACTS = facts_of("""
    resource_instances: [{resource: book, key: thick}]
    role_assignments: [{user: henry, role: guest}]
""")
THICK = ResourceRef("book", "thick")


def refused() -> Decision:
    return decide(POLICY, FACTS, Check(Actor("default", "default", "henry"), "read", THICK))


def test_a_decision_that_was_not_looked_at_equals_one_that_was() -> None:
    seen, unseen = refused(), refused()
    assert seen.remedies == (Remedy("access_request", "book:thick", role="reader"),)
    assert len(seen.chain) == 3

    assert seen == unseen
    assert hash(seen) == hash(refused())
    assert repr(seen) == repr(refused())
    assert seen != Decision(Effect.DENY, ReasonCode.NO_PERMISSION)
    assert seen != "deny"


@pytest.mark.parametrize("passed_on", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_decision_says_the_same_when_it_is_passed_on(passed_on: Any) -> None:
    assert passed_on(refused()) == refused()


@pytest.mark.parametrize("name", ["effect", "reason_code", "rule", "chain", "remedies", "anything"])
def test_a_decision_cannot_be_changed(name: str) -> None:
    decision: Any = refused()
    with pytest.raises(AttributeError):
        setattr(decision, name, Effect.ALLOW)
    assert decision == refused()


def test_chain_and_remedies_are_found_once() -> None:
    calls: list[str] = []

    def chain() -> tuple[str, ...]:
        calls.append("chain")
        return ("because",)

    def remedies() -> tuple[Remedy, ...]:
        calls.append("remedies")
        return ()

    decision = Decision(Effect.DENY, ReasonCode.NO_PERMISSION, None, chain, remedies)
    assert not decision.allowed
    assert calls == []
    assert [decision.chain, decision.chain] == [("because",)] * 2
    assert [decision.remedies, decision.remedies] == [()] * 2
    assert calls == ["chain", "remedies"]


def test_what_becomes_of_the_attributes_of_a_check_changes_no_decision() -> None:
    claimed = {"pages": {"many": 99}}
    check = Check(Actor("default", "default", "henry"), "read", THICK, resource_attributes=claimed)
    allowed = decide(POLICY, FACTS, check)
    claimed["pages"]["many"] = 101
    denied = decide(POLICY, FACTS, check)
    claimed["pages"]["many"] = 99

    assert allowed.allowed
    assert allowed.chain[1] == "book:thick is in thin: resource.pages.many (99) less-than 100"
    assert not denied.allowed
    assert "set_rules.0: book:thick is not in thin" in denied.chain


def test_a_reference_is_read_and_written() -> None:
    assert ResourceRef.parse("book:thick") == THICK
    assert str(THICK) == "book:thick"
    assert str(ResourceRef("book")) == "book"

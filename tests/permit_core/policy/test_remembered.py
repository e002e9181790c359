"""A check is kept with what conditions read, texts as hashes, and a changed policy is tried on it."""

import copy
import json
from typing import Any

import pytest

from permit_core.access import Check, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.changes import loosened
from permit_core.policy.engine import decide
from permit_core.policy.operators import OPERATORS, TextHash, compare
from permit_core.policy.remembered import recall, remember
from tests.support.policies import facts_of, policy_of
from tests.support.random_policies import random_round

POLICY = """
resources:
  files:
    actions: [read, pay]
    attributes: {size: {type: number}, word: {type: string}, due: {type: time}, tags: {type: array}, body: {type: object},
                 unread: {type: string}}
user_attributes: {level: {type: number}, team: {type: string}}
roles: {guest: {}}
user_sets: {seniors: {conditions: {user.level: {greater-than: 5}}}}
resource_sets:
  free: {resource: files, conditions: {resource.word: {equals: free}, resource.due: {less-than: "2027-01-01"},
         not: {resource.size: {greater-than: 100}}}}
  mine: {resource: files, conditions: {resource.tags: {any_match: {match: {x: {equals: {ref: user.team}}}}}, resource.body.a: {equals: 1}}}
set_rules:
  - {user_set: seniors, permission: "files:read", resource_set: free}
  - {user_set: guest, is_role: true, permission: "files:read", resource_set: mine, when: {environment.place: {equals: home}}}
tools:
  pay:
    action: pay
    resource: files
    arguments: {amount: number, payee: string, note: string}
    never: {call.payee: {in: [mallory]}}
    quota: {most: 10, per: 1 day, sum: call.amount, when: {user.level: {less-than: 3}}}
    confirm: {when: {resource.size: {greater-than: 3}}, by: self}
"""
MODEL = policy_of(POLICY)
FACTS = facts_of("""
users: [{key: ann, first_name: Ann, attributes: {level: 9, team: red}}]
resource_instances:
  - {resource: files, key: f, attributes: {size: 50, word: free, due: "2026-11-22", tags: [{x: red}, 1, null], body: {a: 1, b: secret},
     unread: hidden}}
""")
KEY = b"k" * 32
ANN = Actor("default", "default", "ann", agent="bot")


def test_only_what_conditions_read_is_kept_and_texts_as_hashes() -> None:
    kept = remember(
        MODEL, FACTS, Check(ANN, "read", ResourceRef("files", "f"), context={"place": "home", "more": 1}), KEY
    )

    assert {**kept, "values": sorted(kept["values"])} == {
        "environment": "default", "tenant": "default", "user": "ann", "agent": "bot", "action": "read", "resource": "files:f",
        "values": ["environment.place", "resource.body", "resource.due", "resource.size", "resource.tags", "resource.word",
                   "user.level", "user.team"],
    }  # fmt: skip
    text = json.dumps(kept)
    for word in ("free", "secret", "red", "home", "hidden", "Ann"):
        assert word not in text
    assert '"2026-11-22"' in text
    assert json.loads(text) == kept


def test_a_call_is_kept_with_what_its_gates_read() -> None:
    check = Check(ANN, "pay", ResourceRef("files", "f"), call={"amount": 5, "payee": "baker", "note": "thanks"})

    kept = remember(MODEL, FACTS, check, KEY)

    assert sorted(kept["values"]) == ["call.amount", "call.payee", "resource.size", "user.level"]
    assert recall(kept, KEY).call == {"amount": 5, "payee": "baker"}
    assert recall(kept, KEY).call["payee"] != "mallory"


def test_of_somebody_unknown_nothing_is_kept_but_the_question() -> None:
    stranger = Actor("default", "default", "nobody")
    kept = remember(MODEL, FACTS, Check(stranger, "read", ResourceRef("files", None)), KEY)
    assert kept["values"] == {}
    assert recall(kept, KEY) == Check(stranger, "read", ResourceRef("files", None))


def test_a_changed_policy_is_tried_on_the_values_of_that_moment() -> None:
    was = Check(ANN, "read", ResourceRef("files", "f"), resource_attributes={"size": 150})
    kept = json.loads(json.dumps(remember(MODEL, FACTS, was, KEY)))
    assert not decide(MODEL, FACTS, was).allowed
    looser = policy_of(POLICY.replace("greater-than: 100", "greater-than: 200"))
    other = policy_of(POLICY.replace("equals: free", "equals: gratis"))

    assert [str(each) for each in loosened(MODEL, looser, FACTS, [recall(kept, KEY)])] == [
        "user ann read files:f in tenant default: deny becomes allow (set_rules.0)"
    ]
    assert loosened(MODEL, MODEL, FACTS, [recall(kept, KEY)]) == []
    assert loosened(other, looser, FACTS, [recall(kept, KEY)]) != []
    assert loosened(looser, other, FACTS, [recall(kept, KEY)]) == []


def test_a_hash_equals_its_text_and_nothing_else() -> None:
    hashed = TextHash.of("red", KEY)

    assert hashed == "red"
    assert "red" == hashed  # noqa: SIM300 - both ways
    assert hashed == TextHash.of("red", KEY) == TextHash.of(hashed, b"other") == copy.deepcopy(hashed)
    assert hashed != "blue"
    assert hashed != TextHash.of("red", b"other")
    assert len({hashed, TextHash.of("red", KEY)}) == 1
    assert compare("in", hashed, ["blue", "red"])
    assert compare("not-equals", hashed, "blue")
    assert compare("array_contains", [hashed], "red")
    for operator in ("less-than", "greater-than-equals", "between", "contains"):
        right: Any = ["a", "z"] if operator == "between" else "a"
        assert OPERATORS[operator].test(hashed, right) is None
    assert OPERATORS["less-than"].test("a", hashed) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_kept_check_is_answered_as_it_was_but_for_comparisons_that_need_the_text(seed: int) -> None:
    drawn = random_round(seed, 80)
    same = 0
    for check in drawn.checks:
        kept = recall(json.loads(json.dumps(remember(drawn.model, drawn.facts, check, KEY))), KEY)
        before, after = decide(drawn.model, drawn.facts, check), decide(drawn.model, drawn.facts, kept)
        same += before.effect is after.effect
    assert same >= len(drawn.checks) * 0.95

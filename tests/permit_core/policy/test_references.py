"""What sets and rules ask for that only our own engine and OPA know."""

import pytest

from permit_core.policy.references import places_of_calls
from tests.support.policies import policy_of

BASE = """
resources: {files: {actions: [read], attributes: {size: {type: number}, word: {type: string}}}}
user_attributes: {word: {type: string}}
tools: {read_file: {action: read, resource: "files:{name}", arguments: {name: string, word: string}, never: {call.word: {equals: x}}}}
"""
RULE = "{user_set: all, permission: 'files:read', resource_set: files, is_resource: true%s}"


@pytest.mark.parametrize(
    ("more", "places"),
    [
        ("", []),
        ("resource_sets: {s: {resource: files, conditions: {resource.word: {equals: call}}}}", []),
        ("resource_sets: {s: {resource: files, conditions: {call.word: {equals: x}}}}", ["s"]),
        ("resource_sets: {s: {resource: files, conditions: {not: {anyOf: [{call.word: {in: [x]}}]}}}}", ["s"]),
        ("resource_sets: {s: {resource: files, conditions: {resource.word: {equals: {ref: call.word}}}}}", ["s"]),
        (
            "user_sets: {all: {conditions: {user.word: {equals: x}}}}\nset_rules: ["
            + RULE % ", when: {user.word: {equals: x}}"
            + "]",
            ["set_rules.0.when"],
        ),
    ],
)
def test_conditions_on_a_call_outside_of_declarations_are_found(more: str, places: list[str]) -> None:
    assert places_of_calls(policy_of(BASE + more + "\n")) == places

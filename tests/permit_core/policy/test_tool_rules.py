"""What is declared in code and what is declared in the file mean the same, or the program does not start."""

from typing import Any

import pytest
from pydantic import ValidationError

from permit_core.errors import ConfigurationError
from permit_core.policy.tool_rules import (
    ComputedRule,
    ToolRule,
    arguments_of_schema,
    declare,
    differences,
    schema_differences,
)
from tests.support.policies import policy_of as policy

FILES = """
resources:
  files:
    actions: [read, delete, review]
    attributes: {size: {type: number}, word: {type: string}}
tools:
  delete_file: {action: delete, resource: "files:{name}"}
  list_files: open
"""
DELETE = {"action": "delete", "resource": "files:{name}"}
OPEN = ToolRule(open=True)


def test_the_word_open_and_a_rule_that_says_open_are_the_same() -> None:
    model = policy(FILES)

    assert model.tools["list_files"] == OPEN
    assert model.tools["delete_file"] == ToolRule.model_validate(DELETE)


@pytest.mark.parametrize(
    "body", [{}, {"reads": ["untrusted"]}, {"open": False}, {"open": True, **DELETE}, {"resource": "x"}]
)
def test_nothing_is_open_that_does_not_say_so(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either the word open"):
        ToolRule.model_validate(body)


def test_what_code_declares_stands_beside_what_the_file_declares() -> None:
    rule = ToolRule.model_validate({**DELETE, "arguments": {"name": "string"}})
    model = declare(policy(FILES), tools={"delete_file": rule, "wipe": ComputedRule(action="delete")},
                    mcp_resources={"files://{name}": OPEN}, prompts={"sum up": OPEN})  # fmt: skip

    assert model.guard("tools", "delete_file").rule.arguments == {"name": "string"}  # type: ignore[union-attr]
    assert model.guard("tools", "wipe").resource_type is None  # type: ignore[union-attr]
    assert model.guard("tools", "list_files").is_open  # type: ignore[union-attr]
    assert model.guard("mcp_resources", "files://{name}").is_open  # type: ignore[union-attr]
    assert model.guard("prompts", "sum up").is_open  # type: ignore[union-attr]
    assert model.guard("prompts", "other") is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"action": "read"}, "action is 'delete' in the policy and 'read' in code"),
        ({"resource": "files"}, "resource is 'files:{name}' in the policy and 'files' in code"),
        ({"read_only": True}, "read_only is False in the policy and True in code"),
        ({"reads": ["private"]}, "reads is [] in the policy and ['private'] in code"),
        ({"never": "always"}, "never is None in the policy and 'always' in code"),
        ({"confirm": {"when": "always"}}, "confirm is [] in the policy and"),
        ({"quota": {"most": 1, "per": "1 day"}}, "quota is [] in the policy and"),
    ],
)
def test_declared_twice_and_differently_is_refused_by_name(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declare(policy(FILES), tools={"delete_file": ToolRule.model_validate({**DELETE, **changed})})

    assert f"tools.delete_file: {said}" in str(caught.value)


def test_open_in_the_file_and_guarded_in_code_is_a_difference_as_well() -> None:
    found = differences(OPEN, ComputedRule(action="delete"))

    assert "open is True in the policy and False in code" in found
    assert "action is None in the policy and 'delete' in code" in found
    assert differences(ToolRule.model_validate(DELETE), ComputedRule(action="delete")) == [
        "resource is 'files:{name}' in the policy and found by a function in code"
    ]
    assert differences(OPEN, ToolRule(open=True)) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"action": "burn", "resource": "files:{name}"}, "expected an action of files"),
        ({"action": "read", "resource": "file:{name}"}, "did you mean 'files'?"),
        ({**DELETE, "arguments": {"nam": "string"}}, "expected an argument of the tool in the braces"),
        ({**DELETE, "never": {"call.size": {"greater-than": 1}}}, "call.size is not declared"),
    ],
)
def test_what_code_declares_is_held_against_the_policy(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match="what code declares does not fit the policy") as caught:
        declare(policy(FILES), tools={"burn": ToolRule.model_validate(rule)})

    assert said in str(caught.value)


def test_a_computed_resource_needs_an_action_that_some_type_has() -> None:
    with pytest.raises(ConfigurationError, match="expected an action of a resource type"):
        declare(policy(FILES), tools={"fly": ComputedRule(action="fly")})


SCHEMA = {
    "type": "object",
    "$defs": {"Kind": {"enum": ["a"], "type": "string"}},
    "properties": {
        "name": {"type": "string"},
        "amount": {"type": "integer"},
        "ratio": {"type": ["number", "null"]},
        "kind": {"$ref": "#/$defs/Kind"},
        "when": {"type": "string", "format": "date-time"},
        "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
        "rows": {"type": "array", "items": {"type": "object"}},
        "body": {"type": "object"},
        "free": {},
        "lost": {"$ref": "#/$defs/Nothing"},
        "odd": True,
    },
}
ARGUMENTS = {
    "name": "string", "amount": "number", "ratio": "number", "kind": "string", "when": "string", "maybe": "bool",
    "either": "json", "rows": "array", "body": "object", "free": "json", "lost": "json", "odd": "json",
}  # fmt: skip


def test_the_types_of_a_signature_are_read_from_its_schema() -> None:
    assert arguments_of_schema(SCHEMA) == ARGUMENTS
    assert arguments_of_schema({"type": "object"}) == {}


def test_declared_arguments_are_compared_with_the_tool_both_ways() -> None:
    declared: dict[str, Any] = {**ARGUMENTS, "when": "time", "rows": "object_array", "name": "json"}

    assert schema_differences({}, SCHEMA) == []
    assert schema_differences(declared, SCHEMA) == []
    assert schema_differences({**declared, "amount": "string"}, SCHEMA) == [
        "amount is declared as string, and the tool takes number"
    ]
    assert schema_differences({**declared, "amont": "number"}, SCHEMA) == [
        "the tool has no argument 'amont' (did you mean 'amount'?)"
    ]
    del declared["amount"]
    assert schema_differences(declared, SCHEMA) == ["the tool's argument 'amount' is not declared: add amount: number"]

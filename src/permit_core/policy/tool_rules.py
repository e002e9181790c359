"""What code declares of tools, beside what the policy file declares: compared, and put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from permit_core.errors import ConfigurationError
from permit_core.policy.model import PolicyModel
from permit_core.policy.near import close_to
from permit_core.policy.references import PolicyFaults
from permit_core.policy.schema import AttributeType, ComputedRule, Confirm, Quota, ToolRule

__all__ = [
    "ComputedRule",
    "Confirm",
    "Quota",
    "ToolRule",
    "arguments_of_schema",
    "declare",
    "differences",
    "schema_differences",
]

_TYPES: Mapping[str, AttributeType] = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "bool",
    "array": "array",
    "object": "object",
}
_TAKEN_FOR: Mapping[AttributeType, frozenset[AttributeType]] = {
    "time": frozenset({"string"}),
    "object_array": frozenset({"array"}),
}
"""Declared types that a JSON schema has no word for, and what stands there instead."""


def declare(
    model: PolicyModel,
    *,
    tools: Mapping[str, ToolRule] | None = None,
    mcp_resources: Mapping[str, ToolRule] | None = None,
    prompts: Mapping[str, ToolRule] | None = None,
) -> PolicyModel:
    """The policy with what code declares.

    What the file declares as well must mean the same. Nothing but the guards is different in the result; conditions
    outside of a declaration can name arguments only of what the file declares.

    Raises:
        ConfigurationError: something is declared twice and differently, or names what the policy does not have. Each
            fault is named.
    """
    said = {"tools": tools or {}, "mcp_resources": mcp_resources or {}, "prompts": prompts or {}}
    wrong: list[str] = []
    merged: dict[str, dict[str, ToolRule]] = {}
    for section, in_code in said.items():
        in_file: Mapping[str, ToolRule] = getattr(model, section)
        merged[section] = dict(in_file)
        for name, rule in in_code.items():
            if name in in_file:
                wrong += [f"{section}.{name}: {each}" for each in differences(in_file[name], rule)]
            if name not in in_file or not in_file[name].arguments:
                merged[section][name] = rule
    if wrong:
        raise ConfigurationError("declared in the policy and in code, and differently: " + "; ".join(wrong))
    parts = {name: getattr(model, name) for name in PolicyModel.model_fields}
    try:
        return PolicyModel.model_validate({**parts, **merged})
    except ValidationError as error:
        raise ConfigurationError("what code declares does not fit the policy: " + "; ".join(_faults(error))) from None


def _faults(error: ValidationError) -> Iterator[str]:
    for details in error.errors():
        cause = details.get("ctx", {}).get("error")
        yield str(cause) if isinstance(cause, PolicyFaults) else f"{details['loc']}: {details['msg']}"


def differences(in_file: ToolRule, in_code: ToolRule) -> list[str]:
    """What two declarations of one thing say differently; empty when both mean the same.

    Arguments are compared where both declare them: code has them from the signature, a file need not say them. A resource
    that code finds by a function cannot be compared with one that the file names, so it is a difference.
    """
    found = []
    for name in ToolRule.model_fields:
        first, second = getattr(in_file, name), getattr(in_code, name)
        if first == second or (name == "arguments" and not (first and second)):
            continue
        found.append(f"{name} is {_shown(in_file, name)} in the policy and {_shown(in_code, name)} in code")
    return found


def _shown(rule: ToolRule, name: str) -> str:
    if name == "resource" and isinstance(rule, ComputedRule):
        return "found by a function"
    value = rule.model_dump(mode="json", include={name}, exclude_none=True).get(name)
    return repr(sorted(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else value)


def schema_differences(arguments: Mapping[str, AttributeType], input_schema: Mapping[str, Any]) -> list[str]:
    """Where declared arguments and a tool's JSON schema do not fit; empty when they do, or none are declared."""
    if not arguments:
        return []
    real = arguments_of_schema(input_schema)
    found = []
    for name, declared in arguments.items():
        if name not in real:
            found.append(f"the tool has no argument {name!r}{close_to(name, real)}")
        elif declared != "json" and real[name] not in {declared} | _TAKEN_FOR.get(declared, frozenset()):
            found.append(f"{name} is declared as {declared}, and the tool takes {real[name]}")
    found += [
        f"the tool's argument {name!r} is not declared: add {name}: {real[name]}"
        for name in real.keys() - arguments.keys()
    ]
    return found


def arguments_of_schema(input_schema: Mapping[str, Any]) -> dict[str, AttributeType]:
    """What a tool's JSON schema says of its arguments; ``json`` where it takes more than one kind of value."""
    properties = input_schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {str(name): _type_of(schema, input_schema) for name, schema in properties.items()}


def _type_of(schema: Any, whole: Mapping[str, Any], depth: int = 0) -> AttributeType:
    if not isinstance(schema, Mapping) or depth > 8:
        return "json"
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _type_of(_behind(reference, whole), whole, depth + 1)
    choices = next((schema[word] for word in ("anyOf", "oneOf") if isinstance(schema.get(word), list)), None)
    if choices is not None:
        kinds = {_type_of(choice, whole, depth + 1) for choice in choices if choice != {"type": "null"}}
        return kinds.pop() if len(kinds) == 1 else "json"
    named = schema.get("type")
    if isinstance(named, list):
        kinds = {_TYPES.get(each, "json") for each in named if each != "null"}
        return kinds.pop() if len(kinds) == 1 else "json"
    return _TYPES.get(named, "json") if isinstance(named, str) else "json"


def _behind(reference: str, whole: Mapping[str, Any]) -> Any:
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found

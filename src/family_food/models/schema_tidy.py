"""JSON Schema as the Gemini service understands it.

``parameters_json_schema`` takes any schema, but the service acts on a subset of it and is known to refuse a few
words. What is tidied away only restates or narrows; the tools check their arguments themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DROPPED = frozenset({"$schema", "title", "examples", "discriminator", "exclusiveMinimum", "exclusiveMaximum"})
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_DATA = frozenset({"enum", "default", "required", "type"})


def tidy(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without the words that the service does not take.

    ``const`` becomes a one-value ``enum``; a string's ``format`` moves into its description.
    """
    neat: dict[str, Any] = {}
    for word, value in schema.items():
        if word in _DROPPED:
            continue
        if word == "const":
            neat["enum"] = [value]
        elif word in _DATA:
            neat[word] = value
        elif word in _NAMED_SCHEMAS and isinstance(value, Mapping):
            # The keys are names somebody chose, "title" among them.
            neat[word] = {name: _tidy_any(inner) for name, inner in value.items()}
        else:
            neat[word] = _tidy_any(value)
    if neat.get("type") == "string" and "format" in neat:
        described = neat.get("description", "")
        neat["description"] = f"{described} (format: {neat.pop('format')})".strip()
    return neat


def _tidy_any(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tidy(value)
    if isinstance(value, list):
        return [_tidy_any(item) for item in value]
    return value

"""What ``docs/tools.md`` must say of parameters and answers, written from the real tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.types import Tool


def parameter_table(tool: Tool) -> str:
    """The Markdown table of a tool's parameters, without ``user_id``."""
    required = tool.input_schema.get("required", [])
    rows = ["| parameter | is | must be given | meaning |", "|---|---|---|---|"]
    for name, schema in tool.input_schema["properties"].items():
        if name != "user_id":
            given = "yes" if name in required else _default(schema)
            rows.append(f"| `{name}` | {_kind(schema)} | {given} | {schema['description']} |")
    return "\n".join(rows)


def answer_fields(schema: Mapping[str, Any]) -> set[str]:
    """Every field of an answer, those of nested objects too."""
    found: set[str] = set()
    for each in [schema, *schema.get("$defs", {}).values()]:
        found |= each.get("properties", {}).keys()
    return found


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return "no" if default in (None, "") else f"no, {default}"


def _kind(schema: Mapping[str, Any]) -> str:
    shape = next(each for each in schema.get("anyOf", [schema]) if each["type"] != "null")
    if "enum" in shape:
        return " / ".join(shape["enum"])
    if shape["type"] in {"integer", "number"}:
        return f"number, {shape['minimum']} to {shape['maximum']}"
    return f"text, {shape.get('minLength', 0)} to {shape['maxLength']} characters"

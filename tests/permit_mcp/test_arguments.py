"""Wrong arguments are named, with what is allowed and what kind came."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from permit_core.bootstrap import Core
from permit_mcp.arguments import complaints
from tests.support.tool_servers import refusal, serving, serving_open


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, 5, "x must be text of at most 9 characters or null; a whole number came"),
        ({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}, "A", "x must be one of a, b or null; text of 1 character came"),
        ({"const": "yes"}, "no", "x must be exactly yes; text of 2 characters came"),
        ({"type": "array", "maxItems": 2, "items": {"type": "integer"}}, [1, 2, 3], "x must be a list of at most 2 items, each a whole number; a list of 3 items came"),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], "x.1 must be text; a whole number came"),
        ({"type": "array", "minItems": 1}, [], "x must be a list of at least 1 item; an empty list came"),
        ({"type": "string", "pattern": "^a+$"}, "b", "x must be text that fits the pattern ^a+$; text of 1 character came"),
        ({"type": ["string", "number"]}, None, "x must be text or a number; null came"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 5}, 6.5, "x must be a number, at most 5 and more than 0; a number came"),
        ({"type": "boolean"}, {"a": 1}, "x must be true or false; an object came"),
        ({"type": "integer"}, True, "x must be a whole number; true or false came"),
        ({"type": "string", "minLength": 2, "maxLength": 2}, "b", "x must be text of 2 characters; text of 1 character came"),
        ({"type": "object", "properties": {"y": {"type": "string"}}, "required": ["y"]}, {}, "x.y is missing"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"k": "v"}, "x.k must be a whole number; text of 1 character came"),
        ({"$ref": "#/$defs/Colour"}, "blue", "x must be one of red, green; text of 4 characters came"),
        ({"allOf": [{"$ref": "#/$defs/Colour"}]}, 1, "x must be one of red, green; a whole number came"),
        ({"enum": list(range(25))}, 99, "x must be one of " + ", ".join(map(str, range(20))) + " and 5 more; a whole number came"),
        ({"not": {}}, 1, "x must be as the schema says; a whole number came"),
        ({"type": "object", "properties": {"y": {"type": "string"}}}, 1, "x must be an object with y; a whole number came"),
        ({"type": "null"}, "n", "x must be null; text of 1 character came"),
    ],
)  # fmt: skip
def test_each_rule_of_a_schema_is_said_with_the_kind_that_came(schema: Any, value: Any, said: str) -> None:
    root = {"type": "object", "properties": {"x": schema}, "$defs": {"Colour": {"enum": ["red", "green"]}}}
    assert complaints(root, {"x": value}) == [said]


def test_what_only_the_server_finds_is_named_too() -> None:
    root = {
        "type": "object",
        "properties": {"when": {"type": "string", "format": "date-time"}, "tag": {"type": "string"}},
    }
    assert complaints(root, {"when": "soon"}, [("when",)]) == [
        "when must be text in the format date-time; text of 4 characters came"
    ]
    assert complaints(root, {"tag": '{"a": 1}'}, [("tag", "str")]) == [
        "tag must be text; text that holds an object came"
    ]
    assert complaints(root, {}, [("tag",)]) == ["tag is missing"]
    assert complaints(root, {}, [()]) == []


def test_a_deep_or_circular_schema_ends() -> None:
    root = {
        "properties": {"x": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/a"}}, {"type": "null"}]}},
    }
    assert complaints(root, {"x": 1})[0].endswith("; a whole number came")


async def test_a_model_reads_which_argument_of_a_tool_was_wrong(core: Core, kind: str, era: str) -> None:
    mcp = serving(core, "1", kind)
    wrong = await refusal(mcp, "list_access_requests", {"status": "Pending", "resource_instance": 5}, era)
    assert wrong["code"] == "invalid_arguments"
    assert "status must be one of pending, approved, executing, used," in wrong["message"]
    assert "or null; text of 7 characters came" in wrong["message"]
    assert "resource_instance must be text of at most 201 characters or null; a whole number came" in wrong["message"]


async def test_json_in_a_text_that_the_sdk_takes_for_an_object_is_said(core: Core, era: str) -> None:
    wrong = await refusal(serving(core, "1"), "list_resource_instances", {"resource_type": '{"a":1}'}, era)
    assert wrong["message"] == (
        "Wrong arguments: resource_type must be text of at most 100 characters or null; text that holds an object came."
    )


async def test_lists_and_literals_of_the_hosts_own_tools_are_named(core: Core, kind: str, era: str) -> None:
    async def list_dishes(
        tags: Annotated[list[Literal["hot", "cold"]], Field(max_length=2)], more: str | int = ""
    ) -> str:
        return f"{tags} {more}"

    mcp = serving_open(core, "3", list_dishes, kind)
    wrong = await refusal(mcp, "list_dishes", {"tags": ["hot", "HOT", "cold"], "more": {"a": 1}}, era)
    assert "tags.1 must be one of hot, cold; text of 3 characters came" in wrong["message"]
    assert "more must be text or a whole number; an object came" in wrong["message"]

"""No result of any tool contradicts the output schema that the tool declares: not an answer, not a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.types import CallToolResult, Tool

from permit_core.bootstrap import Core
from permit_core.errors import StoreError
from tests.support.tool_servers import connect, refusal_of, serving

NO_REQUEST = "req_" + "0" * 32
FITTING = {
    "role": "child-can-view",
    "reason": "please",
    "resource_instance": "restaurants:4",
    "access_request_id": NO_REQUEST,
    "operation_approval_id": NO_REQUEST,
    "request_id": NO_REQUEST,
}


def check(tool: Tool, result: CallToolResult) -> CallToolResult:
    """The result, once it is sure that it does not contradict the tool's output schema."""
    if result.structured_content is not None:
        assert tool.output_schema is not None
        Draft202012Validator(tool.output_schema).validate(result.structured_content)
    elif tool.output_schema is not None:
        assert result.is_error
    return result


def fitting(tool: Tool) -> dict[str, Any]:
    """Arguments that the schema takes."""
    return {name: FITTING[name] for name in tool.input_schema.get("required", []) if name != "user_id"}


PATHS: Mapping[str, Any] = {
    "an argument that the tool does not declare": lambda tool: {**fitting(tool), "asker": 1},
    "another user": lambda tool: {**fitting(tool), "user_id": "4"},
    "arguments of the wrong kind": lambda tool: {name: {"a": 1} for name in tool.input_schema["properties"]},
    "everything in order": fitting,
}


@pytest.mark.parametrize("path", PATHS)
async def test_every_tool_answers_after_its_schema_or_refuses_without_structure(
    core: Core, kind: str, era: str, path: str
) -> None:
    async with connect(serving(core, "1", kind), era) as client:
        for tool in (await client.list_tools()).tools:
            arguments = PATHS[path](tool)
            result = check(tool, await client.call_tool(tool.name, arguments))
            if path != "everything in order":
                assert refusal_of(result)["code"] in {"forbidden_argument", "invalid_arguments"}


@pytest.mark.parametrize("user_id", ["99", "3"])
async def test_unbound_every_tool_refuses_strangers_and_whoever_may_not_use_it_without_structure(
    core: Core, kind: str, era: str, user_id: str
) -> None:
    async with connect(serving(core, None, kind), era) as client:
        for tool in (await client.list_tools()).tools:
            result = check(tool, await client.call_tool(tool.name, {**fitting(tool), "user_id": user_id}))
            if user_id == "99":
                assert refusal_of(result)["code"] == "no_such_user"
            elif tool.name.startswith(("approve_", "deny_")):
                assert refusal_of(result)["code"] == "tool_not_allowed"


async def test_every_tool_that_a_failing_database_stops_refuses_without_structure(
    core: Core, kind: str, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise StoreError("disk on fire")

    async with connect(serving(core, "1", kind), era) as client:
        tools = (await client.list_tools()).tools
        monkeypatch.setattr(core.directory, "tenant_roles", broken)
        for tool in tools:
            refusal_of(check(tool, await client.call_tool(tool.name, fitting(tool))))

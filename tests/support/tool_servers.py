"""MCP servers with permission tools on them, of both kinds, and clients of both protocol eras in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastmcp import FastMCP
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, Tool

from permit_core.bootstrap import Core
from permit_mcp import PermitServer
from tests.support.core import TENANT

KINDS = ("mcp", "fastmcp")
ERAS = ("auto", "legacy")
WAIT_SECONDS = 30


def make_mcp(kind: str) -> Any:
    """An empty server of one kind."""
    return MCPServer("tools", log_level="ERROR") if kind == "mcp" else FastMCP("tools")


def serving(core: Core, user: str | None, kind: str = "mcp", **options: Any) -> Any:
    """A server with the built-in tools, bound to a user or, with None, to nobody."""
    mcp = make_mcp(kind)
    PermitServer(mcp, acting_user=user, core=core, **options)
    return mcp


def serving_open(core: Core, user: str | None, tool: Any, kind: str = "mcp") -> Any:
    """The same with a tool of the host's own that is declared open, and read-only as the family's policy has it."""
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, acting_user=user, core=core)
    mcp.tool()(permit.open(read_only=True)(tool))
    return mcp


def connect(mcp: Any, era: str = "auto") -> Client:
    """A client of a server in this process."""
    server = mcp if isinstance(mcp, MCPServer) else mcp._mcp_server
    return Client(server, mode=era, cache=None, read_timeout_seconds=WAIT_SECONDS)


async def call(mcp: Any, tool: str, arguments: Mapping[str, Any] | None = None, era: str = "auto") -> CallToolResult:
    """One call by a client of its own."""
    async with connect(mcp, era) as client:
        return await client.call_tool(tool, dict(arguments or {}))


async def answer(mcp: Any, tool: str, arguments: Mapping[str, Any] | None = None, era: str = "auto") -> dict[str, Any]:
    """What a call that succeeds answers."""
    result = await call(mcp, tool, arguments, era)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refusal(mcp: Any, tool: str, arguments: Mapping[str, Any] | None = None, era: str = "auto") -> dict[str, Any]:
    """What a call that is refused answers: the same in the metadata and as text, and nothing structured."""
    return refusal_of(await call(mcp, tool, arguments, era))


def refusal_of(result: CallToolResult) -> dict[str, Any]:
    """What a result that is a refusal says."""
    assert result.is_error, result.structured_content
    assert result.structured_content is None
    refused = (result.meta or {})["permit/refusal"]
    assert isinstance(refused, dict)
    assert json.loads(text_of(result)) == refused
    assert {"code", "message", "hint", "ask_for"} <= refused.keys()
    return refused


async def tools_of(mcp: Any, era: str = "auto") -> dict[str, Tool]:
    """The tools that the server lists, by name."""
    async with connect(mcp, era) as client:
        return {tool.name: tool for tool in (await client.list_tools()).tools}


def text_of(result: CallToolResult) -> str:
    """The text blocks of a result, joined."""
    return "".join(getattr(block, "text", "") for block in result.content)


async def audited(core: Core, event: str) -> list[dict[str, Any]]:
    """The records of one kind of event: actor, tenant and body."""
    return [
        {"actor": record.user, **record.body}
        for record in await core.audit.records("default")
        if record.event == event and record.tenant == TENANT
    ]

"""``PermitServer`` on the ``fastmcp`` package's ``FastMCP``. Imported only when such a server is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastmcp import FastMCP
from fastmcp.exceptions import NotFoundError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import Tool, ToolResult
from mcp.types import CallToolRequestParams, ListToolsRequest

from permit_core.errors import PermitError
from permit_mcp.acting_user import ActingUser
from permit_mcp.enforcement import Enforcement, Outcome, ToolCall, UnknownTool, WrongArguments, answer_to
from permit_mcp.permit_tool import PermitTool


class FastmcpHost:
    """Registers tools, and adds the middleware."""

    def __init__(self, mcp: FastMCP[Any]) -> None:
        self._mcp = mcp

    def add(self, tool: PermitTool, acting: ActingUser) -> None:
        """Put a tool on the server."""
        self._mcp.tool(
            tool.for_user(acting),
            name=tool.name,
            title=tool.title,
            description=tool.description,
            annotations=tool.annotations,
            meta=dict(tool.meta) if tool.meta else None,
        )

    def guard(self, enforcement: Enforcement) -> None:
        """Enforce on everything that comes in from now on."""
        self._mcp.add_middleware(_Guard(self._mcp, enforcement))


class _Guard(Middleware):
    def __init__(self, mcp: FastMCP[Any], enforcement: Enforcement) -> None:
        self._mcp = mcp
        self._enforcement = enforcement

    async def on_list_tools(
        self, context: MiddlewareContext[ListToolsRequest], call_next: CallNext[ListToolsRequest, Sequence[Tool]]
    ) -> Sequence[Tool]:
        visible = await self._enforcement.visible()
        tools = await call_next(context)
        return tools if visible is None else [tool for tool in tools if tool.name in visible]

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        name = context.message.name
        tool = await self._mcp.get_tool(name)
        call = ToolCall(name, context.message.arguments or {}, None if tool is None else tool.parameters)

        async def run() -> ToolResult:
            try:
                return await call_next(context)
            except ValidationError as error:
                raise WrongArguments(name) from error

        try:
            return await self._enforcement.guarded(call, run, _outcome)
        except UnknownTool:
            # FastMCP's own answer to a tool that is not there.
            raise NotFoundError(f"Unknown tool: {name!r}") from None
        except PermitError as error:
            return ToolResult.from_mcp_result(answer_to(error, name))


def _outcome(answer: ToolResult) -> Outcome:
    return Outcome.read(answer.is_error, answer.structured_content)

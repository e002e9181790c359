"""``PermitServer`` on the MCP SDK's own ``MCPServer``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.types import SERVER_INFO_META_KEY, CallToolResult, Implementation
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from permit_core.errors import PermitError
from permit_mcp.acting_user import ActingUser
from permit_mcp.enforcement import Enforcement, Outcome, ToolCall, WrongArguments, answer_to
from permit_mcp.permit_tool import PermitTool
from permit_mcp.refusals import refusal_in


class SdkHost:
    """Registers tools, and stands as middleware between the wire and every tool."""

    def __init__(self, mcp: MCPServer[Any]) -> None:
        self._mcp = mcp

    def add(self, tool: PermitTool, acting: ActingUser) -> None:
        """Put a tool on the server."""
        self._mcp.add_tool(
            tool.for_user(acting),
            name=tool.name,
            title=tool.title,
            description=tool.description,
            annotations=tool.annotations,
            meta=dict(tool.meta) if tool.meta else None,
            structured_output=True,
        )

    def guard(self, enforcement: Enforcement) -> None:
        """Enforce on everything that comes in from now on."""

        async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
            if ctx.request_id is None:
                return await call_next(ctx)
            match ctx.method:
                case "tools/list":
                    return await self._list(enforcement, ctx, call_next)
                case "tools/call":
                    return await self._call(enforcement, ctx, call_next)
            return await call_next(ctx)

        self._mcp.middleware.append(middleware)

    async def _list(
        self, enforcement: Enforcement, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        visible = await enforcement.visible()
        listed = await call_next(ctx)
        if visible is None or not isinstance(listed, dict):
            return listed
        return {**listed, "tools": [tool for tool in listed["tools"] if tool["name"] in visible]}

    async def _call(
        self, enforcement: Enforcement, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        params = ctx.params or {}
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, Mapping | None):
            return await call_next(ctx)  # malformed: the SDK refuses it before any tool is found
        try:
            return await enforcement.guarded(self._read(name, dict(arguments or {})), lambda: call_next(ctx), _outcome)
        except PermitError as error:
            return self._wire(ctx, answer_to(error, name))

    def _read(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        # The one way to a single tool; the public list builds them all anew.
        tool = self._mcp._tool_manager.get_tool(name)  # noqa: SLF001

        def validated() -> Mapping[str, Any]:
            if tool is None:
                return arguments
            try:
                return tool.fn_metadata.validate_arguments(arguments)
            except ValidationError as error:
                raise WrongArguments(each["loc"] for each in error.errors(include_url=False)) from None

        return ToolCall(name, arguments, None if tool is None else tool.parameters, validated)

    def _wire(self, ctx: ServerRequestContext[Any, Any], result: CallToolResult) -> dict[str, Any]:
        """A result in the envelope in which the SDK would send it; it leaves that to a middleware that answers."""
        body = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            body.pop("resultType", None)  # nothing of that, and no stamp, in the era of the handshake
            return body
        server = Implementation(
            name=self._mcp.name,
            title=self._mcp.title,
            description=self._mcp.description,
            version=self._mcp.version,
            website_url=self._mcp.website_url,
            icons=self._mcp.icons,
        )
        stamp = {SERVER_INFO_META_KEY: server.model_dump(by_alias=True, mode="json", exclude_none=True)}
        body["_meta"] = {**body.get("_meta", {}), **stamp}
        return body


def _outcome(answer: HandlerResult) -> Outcome:
    wire = answer if isinstance(answer, dict) else {}
    return Outcome.read(bool(wire.get("isError")), refusal_in(wire.get("_meta")))

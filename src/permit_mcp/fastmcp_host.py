"""``PermitServer`` on the ``fastmcp`` package's ``FastMCP``. Imported only when such a server is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_type_hints

from fastmcp import FastMCP
from fastmcp.exceptions import NotFoundError
from fastmcp.server.dependencies import without_injected_parameters
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import Tool, ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp.types import CallToolRequestParams, ListToolsRequest
from pydantic import TypeAdapter, ValidationError

from permit_core.errors import PermitError
from permit_mcp.acting_user import ActingUser
from permit_mcp.enforcement import Enforcement, Outcome, ToolCall, UnknownTool, WrongArguments, answer_to
from permit_mcp.permit_tool import PermitTool
from permit_mcp.refusals import refusal_in


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
        call = self._read(name, tool, dict(context.message.arguments or {}))
        try:
            return await self._enforcement.guarded(call, lambda: call_next(context), _outcome)
        except UnknownTool:
            # FastMCP's own answer to a tool that is not there.
            raise NotFoundError(f"Unknown tool: {name!r}") from None
        except PermitError as error:
            return ToolResult.from_mcp_result(answer_to(error, name))

    def _read(self, name: str, tool: Tool | None, arguments: dict[str, Any]) -> ToolCall:
        strict = True if self._mcp.strict_input_validation else None

        def validated() -> Mapping[str, Any]:
            if not isinstance(tool, FunctionTool):
                return arguments  # a tool of another server's: what it makes of them is not known here
            try:
                given: dict[str, Any] = _arguments_of(tool.fn).validate_python(arguments, strict=strict)
            except ValidationError as error:
                raise WrongArguments(each["loc"] for each in error.errors(include_url=False)) from None
            return given

        return ToolCall(name, arguments, None if tool is None else tool.parameters, validated)


@lru_cache(maxsize=1000)
def _arguments_of(function: Callable[..., Any]) -> TypeAdapter[dict[str, Any]]:
    """What validates arguments as FastMCP does for this function, and answers them instead of calling it."""
    real = without_injected_parameters(function)
    signature = inspect.signature(real)

    def answer(*positional: Any, **named: Any) -> dict[str, Any]:
        bound = signature.bind(*positional, **named)
        bound.apply_defaults()
        return dict(bound.arguments)

    answer.__signature__ = signature  # type: ignore[attr-defined]
    answer.__annotations__ = {**get_type_hints(real, include_extras=True), "return": Any}
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(answer)  # type: ignore[arg-type]  # a function is one
    return adapter


def _outcome(answer: ToolResult) -> Outcome:
    return Outcome.read(answer.is_error, refusal_in(answer.meta))

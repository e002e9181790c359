"""The real food tools in this process, for a conversation: the server is built for each person, the database is shared."""

from __future__ import annotations

from collections.abc import Sequence

from mcp.server.mcpserver import MCPServer

from family_food.chat.toolbox import declarations, result_content
from family_food.messages import ToolCall, ToolResult
from family_food.models.port import ToolDeclaration
from family_food.ordering.food import Food
from food_ordering_mcp import build
from tests.support.tool_servers import connect


class RealTools:
    """What the chat backend's children offer, without processes."""

    def __init__(self, food: Food) -> None:
        self._food = food
        self._servers: dict[str, MCPServer] = {}

    async def offered(self, user: str) -> Sequence[ToolDeclaration]:
        """What a user may call."""
        async with connect(self._server(user)) as client:
            return declarations((await client.list_tools()).tools)

    async def run(self, user: str, call: ToolCall) -> ToolResult:
        """Carry out one call for a user."""
        async with connect(self._server(user)) as client:
            content = result_content(await client.call_tool(call.name, call.arguments))
        return ToolResult(call_id=call.id, name=call.name, content=content, is_error="error" in content)

    def _server(self, user: str) -> MCPServer:
        if user not in self._servers:
            self._servers[user] = build(self._food, user)
        return self._servers[user]

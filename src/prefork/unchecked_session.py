"""A client's session that takes what tools answer as it comes."""

from __future__ import annotations

from mcp import ClientSession
from mcp.types import CallToolResult


class UncheckedSession(ClientSession):
    """The SDK's session without its check of each answer against the tool's output schema.

    For that check every session would compile every schema anew, 10 ms of an event loop that all sessions share; the
    server has checked its answers already, and whoever reads them takes nothing in them for granted.
    """

    async def validate_tool_result(self, name: str, result: CallToolResult) -> None:
        """Accept the result."""

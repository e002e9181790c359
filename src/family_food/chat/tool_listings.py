"""What the tool servers of this process have been found to offer, so that nobody waits for one to start only to ask."""

from __future__ import annotations

from collections.abc import Sequence

from mcp.types import Tool

from family_food.chat.tool_session import ToolSession


class ToolListings:
    """One listing for each set of roles: a tool server shows what its user's roles show, and nothing else.

    A listing gives no right: the tool server looks at the roles again at every call.
    """

    def __init__(self) -> None:
        self._known: dict[frozenset[str], Sequence[Tool]] = {}

    async def of(self, roles: frozenset[str], tools: ToolSession) -> Sequence[Tool]:
        """The tools for holders of these roles; the first who asks has to wait for ``tools``.

        Raises:
            ToolsUnavailable: it is not known yet, and the tool server cannot be started or does not answer.
        """
        known = self._known.get(roles)
        if known is None:
            known = self._known[roles] = await tools.tools()
        return known

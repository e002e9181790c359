"""The tools of one chat session: one MCP server process, replaced when it dies, and gone at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from mcp import ClientSession, MCPError
from mcp.types import CallToolResult, PaginatedRequestParams, Tool

from family_food.chat.interruption import uninterrupted
from family_food.chat.tool_child import ToolChild, ToolsUnavailable
from prefork.tool_start import ToolStart

T = TypeVar("T")

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
"""A child imports for a second or two; on a machine that is busy, longer."""
_CONNECTION_CLOSED = -32000
_TIMED_OUT = -32001
_MAX_TOOLS_PAGES = 20


class ToolSession:
    """The tools of one chat session.

    Use it as an async context manager: the first process starts at once in the background, and none is left behind.

    Args:
        start: starts the process, each time one is needed.
        call_seconds: the longest a tool may take.
        on_restart: told each time a dead process is replaced.
        start_seconds: the longest a start may take.
    """

    def __init__(
        self,
        start: ToolStart,
        call_seconds: float,
        on_restart: Callable[[], Awaitable[None]] | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._start = start
        self._call_seconds = call_seconds
        self._start_seconds = start_seconds
        self._on_restart = on_restart
        self._replacing = asyncio.Lock()
        self._child: ToolChild | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._child = ToolChild(self._start, self._start_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        await uninterrupted(self._end_child())  # a cancelled session must not leave its process behind

    async def _end_child(self) -> None:
        async with self._replacing:
            if self._child is not None:
                await self._child.end()

    async def tools(self) -> list[Tool]:
        """Every tool the process offers, all pages.

        Raises:
            ToolsUnavailable: it cannot be started or does not answer.
        """

        async def listing(session: ClientSession) -> list[Tool]:
            found: list[Tool] = []
            cursor: str | None = None
            for _ in range(_MAX_TOOLS_PAGES):
                async with asyncio.timeout(self._call_seconds):
                    page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
                found += page.tools
                cursor = page.next_cursor
                if not cursor:
                    break
            return found

        return await self._with_session(listing, "list", again=True)

    async def call(self, name: str, arguments: dict[str, Any], *, read_only: bool) -> CallToolResult:
        """Call a tool. Only a call that changes nothing is repeated when the process dies under it.

        Raises:
            ToolsUnavailable: no answer: not started, dead, too slow.
        """

        async def calling(session: ClientSession) -> CallToolResult:
            return await session.call_tool(name, arguments, read_timeout_seconds=self._call_seconds)

        return await self._with_session(calling, name, again=read_only)

    async def _with_session(self, action: Callable[[ClientSession], Awaitable[T]], name: str, *, again: bool) -> T:
        child = await self._living()
        try:
            return await action(await child.session())
        except TimeoutError:
            raise _too_slow(name) from None
        except MCPError as error:
            if error.code == _TIMED_OUT:
                raise _too_slow(name) from error
            if error.code != _CONNECTION_CLOSED:
                logger.warning("tool %s: protocol error %s: %s", name, error.code, error.message)
                raise ToolsUnavailable(
                    "The tool could not be used.", code="tool_failed", hint="Try it another way."
                ) from error
        logger.warning("the tool server process died in %s; starting another", name)
        child.give_up()
        await self._living()
        if again:
            return await self._with_session(action, name, again=False)
        raise ToolsUnavailable(
            "The tool server stopped in the middle of this call and was started again.",
            code="tools_restarted",
            hint="It is not known whether the call had an effect: look (list_orders) before repeating it.",
        )

    async def _living(self) -> ToolChild:
        """The process that works, or a new one."""
        async with self._replacing:
            if self._closed or self._child is None:
                raise ToolsUnavailable("This session is over.")
            if self._child.dead:
                await self._child.end()
                self._child = ToolChild(self._start, self._start_seconds)
                if self._on_restart is not None:
                    await self._on_restart()
            return self._child


def _too_slow(name: str) -> ToolsUnavailable:
    return ToolsUnavailable(
        f"{name} took too long.",
        code="tool_timeout",
        hint="It is not known whether the call had an effect: look before repeating it.",
    )

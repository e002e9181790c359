"""One MCP server process for one chat session, over stdio: started, replaced when it dies, and gone at the end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from mcp import ClientSession, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, PaginatedRequestParams, Tool

from family_food.chat.interruption import uninterrupted
from permit_core.errors import UserFacing
from permit_core.settings import PROJECT, Settings

T = TypeVar("T")

logger = logging.getLogger(__name__)
child_logger = logging.getLogger(f"{__name__}.child")

START_SECONDS = 60.0
"""A child imports for a second or two; on a machine that is busy, longer."""
_CONNECTION_CLOSED = -32000
_TIMED_OUT = -32001
_MAX_TOOLS_PAGES = 20


class ToolsUnavailable(UserFacing):
    """The tool server could not do the call.

    ``code`` is ``tools_unavailable``, ``tool_timeout``, ``tool_failed``, or ``tools_restarted``: the process died, and
    whether the call had an effect is not known.
    """

    default_code = "tools_unavailable"


def food_server(settings: Settings, user: str) -> StdioServerParameters:
    """How the food server is started for one user. Its environment holds what is named here and nothing else."""
    environment = {
        "DATABASE_URL": settings.resolved_database_url,
        "POLICY_FILE": settings.policy_file,
        "FACTS_FILE": settings.facts_file,
        "ACCOUNTS_FILE": settings.accounts_file,
        "TENANT": settings.tenant,
        "RESOURCE_KEY": settings.resource_key,
        "LOG_LEVEL": settings.log_level,
        "ENV_FILE": "",  # or it would find there what is not named here: the keys of models
        "PYTHONUNBUFFERED": "1",
    }
    return StdioServerParameters(
        command=sys.executable,
        args=[str(PROJECT / "food_ordering_mcp.py"), "--acting-user", user],
        env=environment,
        cwd=PROJECT,
    )


class _Child:
    """One life of the process. A task of its own enters and leaves it: the SDK's task groups demand that."""

    def __init__(self, parameters: StdioServerParameters, start_seconds: float) -> None:
        self._parameters = parameters
        self._start_seconds = start_seconds
        self._over = asyncio.Event()
        self._ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self.dead = False
        self._task = asyncio.create_task(self._own(), name="tool child")

    async def session(self) -> ClientSession:
        """The session, once the process has answered.

        Raises:
            ToolsUnavailable: it did not start.
        """
        return await asyncio.shield(self._ready)

    async def end(self) -> None:
        """Stop the process; returns when it is gone."""
        self.dead = True
        self._over.set()
        if not self._ready.done():
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _own(self) -> None:
        try:
            await self._live()
        except asyncio.CancelledError:
            self._fail(None)
            raise
        except Exception as error:  # noqa: BLE001 - the SDK lets nearly anything out, wrapped in groups
            self._fail(error)
        finally:
            self.dead = True

    async def _live(self) -> None:
        with _StderrLog() as log:
            async with asyncio.timeout(self._start_seconds) as start:
                async with stdio_client(self._parameters, errlog=log.file) as (read, write):
                    log.release()
                    async with ClientSession(read, write) as session:
                        await session.initialize()
                        start.reschedule(None)
                        if not self._ready.done():
                            self._ready.set_result(session)
                        await self._over.wait()

    def _fail(self, error: BaseException | None) -> None:
        if self._ready.done():
            if error is not None:
                logger.warning("a tool server process ended badly", exc_info=error)
            return
        if error is not None:  # otherwise the session was over before it had
            logger.error("the tool server did not start", exc_info=error)
        self._ready.set_exception(
            ToolsUnavailable("The ordering tools could not be started.", hint="Try again in a moment.")
        )
        self._ready.exception()  # nobody may be waiting any more: that is no news


class _StderrLog:
    """A pipe whose other end goes line by line to our log. The SDK wants a real file for a child's stderr."""

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w", encoding="utf-8")
        self._task = asyncio.create_task(_log_lines(reading), name="tool child stderr")
        return self

    def release(self) -> None:
        """Close our copy of the writing end: what is left open is the child's."""
        self.file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        # Ends by itself when the last process that holds the pipe does; a grandchild may hold it longer than we wait.
        asyncio.get_running_loop().call_later(1.0, self._task.cancel)


async def _log_lines(descriptor: int) -> None:
    reader = asyncio.StreamReader(limit=65_536)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        rest = b""
        while chunk := await reader.read(8192):
            *lines, rest = (rest + chunk).split(b"\n")
            lines += [rest] if len(rest) > 8192 else []
            rest = b"" if len(rest) > 8192 else rest
            for line in filter(None, lines):
                child_logger.info("%s", line.decode("utf-8", "backslashreplace").rstrip())
    finally:
        transport.close()


class ToolSession:
    """The tools of one chat session.

    Use it as an async context manager: the first process starts at once in the background, and none is left behind.

    Args:
        parameters: how to start the process.
        call_seconds: the longest a tool may take.
        on_restart: told each time a dead process is replaced.
        start_seconds: the longest a start may take.
    """

    def __init__(
        self,
        parameters: StdioServerParameters,
        call_seconds: float,
        on_restart: Callable[[], Awaitable[None]] | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._parameters = parameters
        self._call_seconds = call_seconds
        self._start_seconds = start_seconds
        self._on_restart = on_restart
        self._replacing = asyncio.Lock()
        self._child: _Child | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._child = _Child(self._parameters, self._start_seconds)
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
        child.dead = True
        await self._living()
        if again:
            return await self._with_session(action, name, again=False)
        raise ToolsUnavailable(
            "The tool server stopped in the middle of this call and was started again.",
            code="tools_restarted",
            hint="It is not known whether the call had an effect: look (list_orders) before repeating it.",
        )

    async def _living(self) -> _Child:
        """The process that works, or a new one."""
        async with self._replacing:
            if self._closed or self._child is None:
                raise ToolsUnavailable("This session is over.")
            if self._child.dead:
                await self._child.end()
                self._child = _Child(self._parameters, self._start_seconds)
                if self._on_restart is not None:
                    await self._on_restart()
            return self._child


def _too_slow(name: str) -> ToolsUnavailable:
    return ToolsUnavailable(
        f"{name} took too long.",
        code="tool_timeout",
        hint="It is not known whether the call had an effect: look before repeating it.",
    )

"""The tiny server in processes of its own: spawned, and forked."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from mcp import StdioServerParameters

from prefork.fork_server import ForkServer
from prefork.tool_start import ToolStart, spawned
from tests.support import tiny_mcp


def tiny_program(*arguments: str, **environment: str) -> StdioServerParameters:
    """The tiny server's command."""
    return StdioServerParameters(
        command=sys.executable, args=[str(Path(tiny_mcp.__file__)), *arguments], env=environment
    )


def tiny(mode: str = "", **environment: str) -> ToolStart:
    """The tiny server, spawned."""
    return partial(spawned, tiny_program(*([mode] if mode else []), **environment))


def never(user: str) -> ToolStart:
    """For a fork server that is not to fall back on anything."""
    raise AssertionError("a server was to be spawned plainly")


@asynccontextmanager
async def tiny_fork_server(**environment: str) -> AsyncIterator[ForkServer]:
    """A fork server of tiny servers."""
    async with ForkServer(tiny_program("--fork-server", **environment), never) as fork_server:
        yield fork_server

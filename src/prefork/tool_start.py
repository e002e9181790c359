"""How the tool server of one session is started, as the rest of the program sees it; and the plain way to do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mcp import StdioServerParameters
from mcp.client import Transport
from mcp.client.stdio import stdio_client

from prefork.log_pipe import LogPipe

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams  # has no public name

ToolStart = Callable[[], Transport]
"""Each call starts one process: entering what it answers starts it, leaving that ends it, however it went."""


@asynccontextmanager
async def spawned(parameters: StdioServerParameters) -> AsyncIterator[TransportStreams]:
    """A process of its own program, as the SDK spawns it; what it says on stderr goes to our log.

    Raises:
        OSError: the program cannot be started.
    """
    with LogPipe("tool server") as log:
        async with stdio_client(parameters, errlog=log.file) as streams:
            log.release()
            yield streams

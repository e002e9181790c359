"""What the machine and the libraries take by themselves, measured in the same run as what we take."""

from __future__ import annotations

import asyncio
import sys
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from websockets.asyncio.client import connect

from benchmarks.bare import FRAMES
from benchmarks.running_server import serving
from family_food.settings import CHECKOUT


async def bare_turns(count: int) -> list[float]:
    """Seconds from each message to the last frame of its answer, on a WebSocket that does nothing else."""
    seconds = []
    async with (
        serving("benchmarks.bare", "web") as (port, _),
        connect(f"ws://127.0.0.1:{port}/ws", proxy=None, compression=None, ping_interval=None) as socket,
    ):
        for _ in range(count):
            began = time.perf_counter()
            await socket.send('{"type":"message","message":"say","id":"m1"}')
            for _ in range(FRAMES):
                async with asyncio.timeout(30):
                    await socket.recv()
            seconds.append(time.perf_counter() - began)
    return seconds


async def bare_calls(count: int) -> list[float]:
    """Seconds of each call to a tool that does nothing, in another process over stdio."""
    seconds = []
    server = StdioServerParameters(command=sys.executable, args=["-m", "benchmarks.bare", "tools"], cwd=CHECKOUT)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        await session.list_tools()
        for _ in range(count):
            began = time.perf_counter()
            async with asyncio.timeout(30):
                await session.call_tool("nothing", {})
            seconds.append(time.perf_counter() - began)
    return seconds

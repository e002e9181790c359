"""A small MCP server for tests of what runs one: ``python tiny_mcp.py [MODE]``.

Modes: dead, mute. With ``--fork-server`` it is the parent of forked ones; a session's user is then its mode, also deaf: it
goes on when its input ends and when it is told to end.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

READ_ONLY = ToolAnnotations(read_only_hint=True)


def build() -> MCPServer:
    mcp = MCPServer("tiny", log_level="ERROR")

    @mcp.tool(annotations=READ_ONLY)
    def process_id() -> int:
        """The process that answers."""
        return os.getpid()

    @mcp.tool(annotations=READ_ONLY)
    def environment() -> dict[str, Any]:
        """Everything in the environment."""
        return dict(os.environ)

    @mcp.tool(annotations=READ_ONLY)
    async def die_reading(path: str) -> str:
        """Die the first time, answer the second."""
        return _die_once(path)

    @mcp.tool()
    async def die_writing(path: str) -> str:
        """The same, but not read-only."""
        return _die_once(path)

    @mcp.tool()
    async def sleep(seconds: float, begun: str = "", woken: str = "") -> str:
        """Be slow; make a file at the beginning, and another at the end, however that comes."""
        try:
            if begun:
                Path(begun).touch()
            await asyncio.sleep(seconds)
        finally:
            if woken:
                Path(woken).touch()
        return "awake"

    @mcp.tool(annotations=READ_ONLY)
    async def look_slowly(seconds: float) -> str:
        """Be slow, and change nothing."""
        await asyncio.sleep(seconds)
        return "seen"

    @mcp.tool()
    def say(text: str) -> str:
        """Say something on stderr."""
        sys.stderr.write(text + "\n")
        return text

    @mcp.tool()
    def fail() -> str:
        """Fail."""
        raise RuntimeError("a secret of the server")

    @mcp.tool(annotations=READ_ONLY)
    async def state() -> dict[str, Any]:
        """What a process might share with another without meaning to."""
        return {
            "random": random.random(),
            "descriptors": _descriptors(),
            "session": os.getsid(0),
            "threads": threading.active_count(),
            "signals": [str(signal.getsignal(number)) for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)],
            "stdin": sys.stdin.read(),
        }

    return mcp


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself is closed by now
            found[entry.name] = str(entry.readlink())
    return found


def _die_once(path: str) -> str:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "alive"
    os._exit(9)


async def serve(user: str, connected: socket.socket) -> int:
    from prefork.socket_streams import socket_streams

    if user == "dead":
        return 3
    if user == "mute":
        connected.setblocking(False)
        while await asyncio.get_running_loop().sock_recv(connected, 65_536):
            pass
        return 0
    server = build()._lowlevel_server
    async with socket_streams(connected) as (read, write):
        await server.run(read, write, server.create_initialization_options())
    if user == "deaf":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
        await asyncio.sleep(600)
    return 0


def main(mode: str) -> int:
    if mode == "dead":
        return 3
    if mode == "mute":
        sys.stdin.read()
    elif mode == "--fork-server":
        from prefork.parent import serve_forks

        return serve_forks(lambda: serve)
    else:
        build().run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))

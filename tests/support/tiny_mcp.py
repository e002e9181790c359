"""A small MCP server for tests of what runs one: ``python tiny_mcp.py [MODE]``; modes: dead, mute."""

from __future__ import annotations

import asyncio
import os
import sys
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
    async def sleep(seconds: float) -> str:
        """Be slow."""
        await asyncio.sleep(seconds)
        return "awake"

    @mcp.tool()
    def say(text: str) -> str:
        """Say something on stderr."""
        sys.stderr.write(text + "\n")
        return text

    @mcp.tool()
    def fail() -> str:
        """Fail."""
        raise RuntimeError("a secret of the server")

    return mcp


def _die_once(path: str) -> str:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "alive"
    os._exit(9)


if __name__ == "__main__":
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "dead":
        sys.exit(3)
    if mode == "mute":
        sys.stdin.read()
    else:
        build().run()

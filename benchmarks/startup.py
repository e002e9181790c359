"""How long a stdio server takes to answer ``initialize``, beside a bare ``MCPServer``.

Run it from the checkout: ``uv run benchmarks/startup.py``. It starts each server a few times by turns, on a temporary
database that exists already, and prints the medians and their ratio. The target is 1.3 at most.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from permit_mcp.init_command import FILES

BARE = 'from mcp.server import MCPServer\nMCPServer("bare", log_level="ERROR").run()\n'

app = typer.Typer(add_completion=False)


@app.command()
def measure(rounds: Annotated[int, typer.Option(help="How often each server is started.")] = 5) -> None:
    """Start both servers by turns, and print what they took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in FILES.items():
            path = folder / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (folder / "bare.py").write_text(BARE, encoding="utf-8")
        took: dict[str, list[float]] = {"bare.py": [], "server.py": []}
        asyncio.run(_answered(folder, "server.py"))  # makes the database
        for _ in range(rounds):
            for program, seconds in took.items():
                seconds.append(asyncio.run(_answered(folder, program)))
    bare, ours = (statistics.median(took[program]) for program in ("bare.py", "server.py"))
    typer.echo(f"bare MCPServer: {bare:.2f} s; guarded server: {ours:.2f} s; ratio {ours / bare:.2f} (target 1.3)")


async def _answered(folder: Path, program: str) -> float:
    environment = {"STATE_DIR": str(folder / "state"), "PYTHONPATH": os.pathsep.join(sys.path)}
    parameters = StdioServerParameters(command=sys.executable, args=[program], env=environment, cwd=folder)
    began = time.perf_counter()
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        return time.perf_counter() - began


if __name__ == "__main__":
    app()

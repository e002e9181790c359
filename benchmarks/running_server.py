"""A server of its own for the benchmark, started and ended with it; and the stranger beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from benchmarks.figures import Spawning
from benchmarks.household import Household
from benchmarks.processes import tree_under
from family_food.settings import CHECKOUT, ChatSettings
from permit_api.settings import LocalSettings

START_SECONDS = 60.0
SETTLE_SECONDS = 60.0
SEAT_SECONDS = 0.2
"""A session is over a moment after its process is: its end is still written down."""


@dataclass
class RunningServer:
    """A chat backend in a process of its own."""

    household: Household
    spawning: Spawning
    port: int
    process: Process

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def without_sessions(self) -> None:
        """Wait until no process of a session is left and its seat is free, so that what comes next is alone.

        Raises:
            TimeoutError: some stay.
        """
        async with asyncio.timeout(SETTLE_SECONDS):
            while tree_under(self.process.pid)[1]:  # noqa: ASYNC110 - a process's end tells nobody here
                await asyncio.sleep(0.05)
        await asyncio.sleep(SEAT_SECONDS)


@asynccontextmanager
async def running_server(household: Household, spawning: Spawning) -> AsyncIterator[RunningServer]:
    """Start a server over the household's database; ended, with everything it started, in the end.

    Raises:
        RuntimeError: it does not start; with what it wrote.
    """
    environment = {**household.environment, "MCP_SPAWN": spawning.value}
    async with serving("benchmarks.chat_server", environment=environment) as (port, process):
        yield RunningServer(household, spawning, port, process)


@asynccontextmanager
async def serving(
    module: str, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[tuple[int, Process]]:
    """Run ``python -m module [arguments] PORT`` until the context is left; answers the port and the process.

    Raises:
        RuntimeError: ``GET /readyz`` is not answered there; with what it wrote.
    """
    settings = {name.upper() for name in ChatSettings.model_fields | LocalSettings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in settings}
    port = free_port()
    with tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, str(port),
            cwd=CHECKOUT, stdin=asyncio.subprocess.DEVNULL, stdout=words, stderr=words, env={**kept, **environment},
        )  # fmt: skip
        try:
            if not await _answers(port, process):
                words.seek(0)
                raise RuntimeError(f"the server did not start:\n{words.read().decode()}")
            yield port, process
        finally:
            await _end(process)


async def _answers(port: int, process: Process) -> bool:
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client, asyncio.timeout(START_SECONDS):
        while process.returncode is None:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    return False


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@dataclass
class Stranger:
    """How long somebody else has waited for each answer, in seconds; known when the context is over."""

    seconds: list[float] = field(default_factory=list)


@asynccontextmanager
async def stranger(server: RunningServer) -> AsyncIterator[Stranger]:
    """Somebody else who asks while the context lasts."""
    program = Path(__file__).with_name("stranger.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(program), str(server.port), stdin=PIPE, stdout=PIPE
    )
    found = Stranger()
    try:
        if process.stdout is not None:
            await process.stdout.readline()  # it asks by now
        yield found
        answer, _ = await asyncio.wait_for(process.communicate(b"."), SETTLE_SECONDS)
        found.seconds = json.loads(answer)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

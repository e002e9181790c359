"""A real OPA with our rules, where there is one: the program ``OPA_BINARY``, or ``opa`` of PATH."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from benchmarks.running_server import free_port
from family_food.settings import CHECKOUT

START_SECONDS = 30.0


def opa_program() -> str | None:
    """The program, None where there is none."""
    return os.environ.get("OPA_BINARY") or shutil.which("opa")


@asynccontextmanager
async def opa_server(program: str) -> AsyncIterator[str]:
    """OPA in a process of its own; answers its URL.

    Raises:
        TimeoutError: it does not start.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    rules = [str(CHECKOUT / "policies" / "opa"), "--ignore=*_test.rego"]
    process = await asyncio.create_subprocess_exec(
        *(program, "run", "--server", "--skip-version-check", "--log-level=error", f"--addr=127.0.0.1:{port}", *rules),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(START_SECONDS):
            while not await _answers(client, url):  # noqa: ASYNC110 - it tells nobody when it is up
                await asyncio.sleep(0.05)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/health")).status_code == 200
    except httpx.TransportError:
        return False

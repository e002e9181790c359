"""A client on the TypeScript SDK v1, which compares every structured result with the tool's output schema."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.cache import CACHE

PACKAGE = "@modelcontextprotocol/sdk"
VERSION = "1.32.2"
PROGRAM = Path(__file__).parents[1] / "permit_mcp" / "typescript" / "client.mjs"
INSTALL_SECONDS = 180
RUN_SECONDS = 60


def node_modules() -> Path:
    """The folder in which the SDK is installed, once for all runs; the test is skipped where that cannot be."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are needed for a client on the TypeScript SDK")
    cache = CACHE / "npm"
    installed = cache / "node_modules" / PACKAGE / "package.json"
    if not installed.is_file() or json.loads(installed.read_text())["version"] != VERSION:
        cache.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(cache)]
        done = subprocess.run(
            [npm, "install", *options, f"{PACKAGE}@{VERSION}"],
            capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"npm cannot install {PACKAGE}: {done.stderr[-300:]}")
    return cache


async def play(transport: dict[str, Any], calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """List the tools and make calls; each tool once, without arguments, when none are named.

    Returns:
        ``tools``, and ``answers``: what each call answered, or ``thrown`` by the SDK.
    """
    cache = node_modules()
    plan = {"transport": transport, "calls": calls}
    with anyio.fail_after(RUN_SECONDS):
        done = await anyio.run_process(
            ["node", str(PROGRAM)],
            input=json.dumps(plan).encode(),
            env={**os.environ, "NODE_MODULES_OF": str(cache)},
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer

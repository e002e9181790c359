"""From the built library to a guarded tool, a question, a yes at a terminal and one execution, in an empty folder."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from permit_mcp.refusals import REFUSAL
from tests.distribution.conftest import Installed, in_an_empty_folder, surroundings
from tests.support import typescript_client
from tests.support.environment import PROJECT
from tests.support.http_tools import free_port, signed_in
from tests.support.terminal import Tty
from tests.support.token_issuer import issuing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DELETE: dict[str, Any] = {"name": "delete_file", "arguments": {"name": "report.txt"}}
SECONDS = 120

Transport = dict[str, Any]
"""How a server is reached: ``command``, ``args``, ``env`` and ``cwd``, or ``url`` and ``token``."""


@asynccontextmanager
async def served(transport: str, installed: Installed) -> AsyncIterator[Transport]:
    """The server that ``init`` wrote, or, over HTTP, the one of the page about that."""
    if transport == "stdio":
        environment, folder = surroundings(installed.folder), str(installed.folder)
        yield {"command": str(installed.python), "args": ["server.py"], "env": environment, "cwd": folder}
        return
    with issuing() as issuer:
        port = free_port()
        url = f"http://127.0.0.1:{port}/mcp"
        page = (PROJECT / "docs" / "serve-http.md").read_text(encoding="utf-8")
        code = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
        for written, here in (
            ("https://permit.example.com/mcp", url), ("https://id.example.com", issuer.url),
            ("permit.example.com", f"127.0.0.1:{port}"), ("8765", str(port)),
        ):  # fmt: skip
            assert written in code
            code = code.replace(written, here)
        (installed.folder / "over_http.py").write_text(code, encoding="utf-8")
        async with process([installed.python, "over_http.py"], installed.folder, url):
            yield {"url": url, "token": issuer.token("248289761001", url)}


@asynccontextmanager
async def process(command: list[str | Path], folder: Path, url: str) -> AsyncIterator[None]:
    """A server in a process of its own, once it asks for a token."""
    log = folder.parent / "server.log"
    with log.open("wb") as written:
        running = await anyio.open_process(
            [str(word) for word in command], cwd=folder, env=surroundings(folder), stdout=written, stderr=written
        )
    try:
        with anyio.fail_after(SECONDS):
            async with httpx2.AsyncClient() as http:
                while not await asks_for_a_token(http, url):
                    assert running.returncode is None, log.read_text("utf-8", "replace")
                    await anyio.sleep(0.05)
        yield
    finally:
        running.terminate()
        with anyio.fail_after(SECONDS, shield=True):
            await running.wait()


async def asks_for_a_token(http: httpx2.AsyncClient, url: str) -> bool:
    """Whether somebody without one is refused there; False while nobody answers."""
    try:
        return (await http.post(url, json={})).status_code == 401
    except httpx2.TransportError:
        return False


async def played(client: str, transport: Transport, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """What a client of one SDK is told, call by call: ``text`` and ``meta``."""
    if client == "typescript":
        answers: list[dict[str, Any]] = (await typescript_client.play(transport, list(calls)))["answers"]
        assert [answer for answer in answers if "thrown" in answer] == []
        return answers
    opened = (
        signed_in(transport["url"], transport["token"], "auto")
        if "url" in transport
        else Client(StdioServerParameters(**transport), cache=None, read_timeout_seconds=SECONDS)
    )
    told = []
    async with opened as agent:
        for call in calls:
            answer = await agent.call_tool(call["name"], call["arguments"])
            text = "".join(block.text for block in answer.content if isinstance(block, TextContent))
            told.append({"text": text, "meta": answer.meta})
    return told


@pytest.mark.parametrize("client", ["python", "typescript"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_guarded_tool_waits_for_a_yes_at_a_terminal_and_runs_once(
    transport: str, client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    environment = request.getfixturevalue("http_environment" if transport == "http" else "environment")
    installed = in_an_empty_folder(environment, tmp_path)
    begun = installed.permit_mcp("init")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    report = installed.folder / "files" / "report.txt"
    with anyio.fail_after(SECONDS * 3):
        async with served(transport, installed) as server:
            (held,) = await played(client, server, DELETE)
            assert held["meta"][REFUSAL]["code"] == "approval_pending"
            assert held["meta"][REFUSAL]["request_id"] in held["text"]
            assert report.exists()

            await anyio.to_thread.run_sync(say_yes, installed)
            assert report.exists()  # a yes alone does nothing

            done, again = await played(client, server, DELETE, DELETE)
            assert done["text"] == "deleted report.txt"
            assert not report.exists()
            assert again["meta"][REFUSAL]["code"] == "approval_pending"  # a yes is for one call

    verified = installed.permit_mcp("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    records = [json.loads(line) for line in installed.permit_mcp("audit", "export").stdout.splitlines()]
    assert sum(record["event"] == "request.used" for record in records) == 1


def say_yes(installed: Installed) -> None:
    """Be the person whom the policy names, at a terminal."""
    terminal = Tty(
        [str(installed.environment / "bin" / "permit-mcp"), "requests", "watch"],
        surroundings(installed.folder, TERM="xterm", LANG="C.UTF-8"),
        installed.folder,
    )
    answer_yes(terminal)


def answer_yes(terminal: Tty) -> None:
    """Wait for the question about the file, say yes to it, and leave."""
    try:
        asked = terminal.see("Type y to approve").flat
        assert "one call of delete_file" in asked
        assert '"report.txt"' in asked
        terminal.enter("y")
        terminal.see("is approved.")
        terminal.control("c")
        terminal.ended()
    finally:
        terminal.close()

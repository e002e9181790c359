"""The guide's lines, word for word, in a clone with nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from packaging.requirements import Requirement

from tests.distribution.conftest import run, surroundings
from tests.support.environment import PROJECT
from tests.support.opa import free_port
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

START_SECONDS = 120
README = (PROJECT / "README.md").read_text(encoding="utf-8")
_BLOCK = README.split("## The guide's own way")[1].split("```bash\n")[1].split("```")[0]
INSTALL, COPY, SERVER, CLIENT = (line.split("#")[0].strip() for line in _BLOCK.splitlines())
"""The lines of the README for those who come from the guide."""
GUIDES_LIBRARIES = frozenset(
    ["aiosqlite", "bcrypt", "fastapi", "google-genai", "httpx", "mcp", "permit", "python-dotenv", "python-jose", "rich", "websockets"]
)  # fmt: skip
"""What the guide says is installed without a further word, by the names of the index."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed here, installed and configured by the README's lines."""
    folder = tmp_path_factory.mktemp("guide") / "permit-mcp"
    cloned = run(["git", "clone", "--quiet", PROJECT, folder], folder.parent)
    if cloned.returncode:
        pytest.skip(f"not a git checkout: {cloned.stderr}")
    for line in (INSTALL, COPY):
        done = run(["bash", "-euc", line], folder)
        assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def started(line: str, folder: Path, port: int, **more: str) -> Iterator[None]:
    """A server that is started by a line, until the body ends; waits until it answers."""
    environment = surroundings(folder, **more)
    with (folder.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(
            line.split(), cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    waiting = (
        "import sys, time, urllib.request\n"
        f"end = time.monotonic() + {START_SECONDS}\n"
        "while True:\n"
        "    try:\n"
        f"        sys.exit(urllib.request.urlopen('http://127.0.0.1:{port}/readyz').status != 200)\n"
        "    except OSError:\n"
        "        assert time.monotonic() < end\n"
        "        time.sleep(0.2)\n"
    )
    try:
        ready = run([folder / ".venv" / "bin" / "python", "-c", waiting], folder)
        assert ready.returncode == 0, (folder.parent / "server.log").read_text("utf-8", "replace")
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(START_SECONDS)


def test_the_readmes_lines_are_the_guides_and_getting_started_has_them_too() -> None:
    lines = [INSTALL.split(" && ")[0], INSTALL.split(" && ")[1], SERVER, CLIENT]
    assert lines == ["uv venv", "uv pip install -e .", "fastapi dev server.py", "uv run client.py"]
    page = (PROJECT / "docs" / "getting-started.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in page] == []


def test_what_the_guides_lines_install_is_what_is_pinned_permits_sdk_included(clone: Path) -> None:
    (place,) = (clone / ".venv" / "lib").glob("python*/site-packages")
    there = {dist.metadata["Name"].lower().replace("_", "-"): dist.version for dist in distributions(path=[str(place)])}
    assert there.keys() >= GUIDES_LIBRARIES
    pins = tomllib.loads((clone / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["constraint-dependencies"]
    wanted = [
        pin for pin in map(Requirement, pins) if pin.name in there and not (pin.marker and not pin.marker.evaluate())
    ]
    assert len(wanted) > 60
    assert [f"{pin}: {there[pin.name]}" for pin in wanted if there[pin.name] not in pin.specifier] == []
    imported = run([clone / ".venv" / "bin" / "python", "-c", "import permit, src.permit_mcp.server"], clone)
    assert imported.returncode == 0, imported.stderr


@pytest.mark.parametrize("client", ["a terminal", "Claude Desktop"])
async def test_uv_run_server_py_serves_the_checkouts_database_to_a_terminal_and_to_claude_desktop(
    clone: Path, tmp_path: Path, client: str
) -> None:
    if client == "a terminal":
        command, *words = ["uv", "run", "server.py"]
        folder = clone / "src" / "permit_mcp"
    else:
        page = (PROJECT / "docs" / "claude-desktop.md").read_text(encoding="utf-8")
        block = page.split("```json\n")[1].split("```")[0].replace("/ABSOLUTE/PATH/TO/PARENT/FOLDER", str(clone))
        server = json.loads(block)["mcpServers"]["permit"]
        command, words, folder = server["command"], server["args"], tmp_path
    said = tmp_path / "stderr"
    parameters = StdioServerParameters(command=command, args=words, env=surroundings(clone), cwd=folder)
    with anyio.fail_after(START_SECONDS), said.open("w") as errors:
        async with Client(stdio_client(parameters, errlog=errors), cache=None, read_timeout_seconds=60) as agent:
            assert len((await agent.list_tools()).tools) == 12
            listed = await agent.call_tool("list_resource_instances", {"user_id": "3"})
            assert listed.structured_content is not None
            assert "Pizza Palace" in [each["name"] for each in listed.structured_content["instances"]]
    told = said.read_text("utf-8")
    assert "permit_mcp_server is running on stdio" in told
    assert str(clone / "data" / "family_food.db") in told
    assert str(clone / "policies" / "family_food.yaml") in told


def test_the_chat_is_served_and_opened_by_the_guides_lines(clone: Path, tmp_path: Path) -> None:
    port = free_port()
    activated = {"PATH": f"{clone / '.venv' / 'bin'}:{os.environ['PATH']}", "VIRTUAL_ENV": str(clone / ".venv")}
    with started(SERVER, clone, port, PORT=str(port), MODEL="demo", **activated):
        environment = surroundings(
            clone,
            PERMIT_CHAT_URL=f"http://127.0.0.1:{port}",
            PROMPT_TOOLKIT_NO_CPR="1",
            XDG_STATE_HOME=str(tmp_path / "state"),
        )
        program, *words = CLIENT.split()
        command = shutil.which(program)
        assert command is not None
        henry = Terminal(words, environment, clone, program=command)
        try:
            henry.log_in("henry", "henry_password")
            henry.see("You:")
            henry.enter("Which restaurants are there?")
            henry.see("Pizza Palace")
            henry.see("You:")
            henry.control("d")
            assert henry.ended() == 0
        finally:
            henry.close()
    assert (clone / "data" / "family_food.db").exists()
    assert not (clone / "src" / "permit_mcp" / "data").exists()

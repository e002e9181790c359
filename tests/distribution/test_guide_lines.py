"""The guide's lines, word for word, in a clone with nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

import pytest
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
    assert {"permit", "permit-mcp", "family-food", "asyncpg", "google-genai"} <= there.keys()
    pins = tomllib.loads((clone / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["constraint-dependencies"]
    wanted = [
        pin for pin in map(Requirement, pins) if pin.name in there and not (pin.marker and not pin.marker.evaluate())
    ]
    assert len(wanted) > 60
    assert [f"{pin}: {there[pin.name]}" for pin in wanted if there[pin.name] not in pin.specifier] == []
    imported = run([clone / ".venv" / "bin" / "python", "-c", "import permit, src.permit_mcp.server"], clone)
    assert imported.returncode == 0, imported.stderr


def test_uv_run_server_py_in_the_librarys_folder_serves_and_leaves_its_data_in_the_checkout(clone: Path) -> None:
    done = run(["uv", "run", "server.py"], clone / "src" / "permit_mcp")
    assert done.returncode == 0, done.stderr
    assert "permit_mcp_server is running on stdio" in done.stderr
    assert str(clone / "data" / "family_food.db") in done.stderr
    assert str(clone / "policies" / "family_food.yaml") in done.stderr


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

"""The client as a person meets it: the real program in a real terminal, against a server that the test plays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.environment import PROJECT, bare_environment
from tests.support.fake_backend import FakeBackend
from tests.support.terminal import WAIT_SECONDS, Terminal

Spawn = Callable[..., Terminal]
Pipe = Callable[..., "subprocess.CompletedProcess[str]"]


def _environment(state: Path, **extra: str) -> dict[str, str]:
    # Nothing here answers a question about where the cursor is.
    return bare_environment(**{"PROMPT_TOOLKIT_NO_CPR": "1", "XDG_STATE_HOME": str(state), **extra})


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    with FakeBackend().running() as fake:
        yield fake


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the client keeps its history and its tokens (``XDG_STATE_HOME``)."""
    return tmp_path / "state"


@pytest.fixture
def spawn(state: Path) -> Iterator[Spawn]:
    """Start ``client.py`` in a pseudo-terminal."""
    terminals: list[Terminal] = []

    def start(*arguments: str, columns: int = 100, **extra: str) -> Terminal:
        terminals.append(Terminal(["client.py", *arguments], _environment(state, **extra), PROJECT, columns))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def pipe(state: Path) -> Pipe:
    """Run ``client.py`` with lines on its standard input."""

    def run(*arguments: str, lines: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "client.py", *arguments],
            cwd=PROJECT,
            env=_environment(state, **extra),
            input=lines if isinstance(lines, bytes) else lines.encode(),
            capture_output=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )

    return run


@pytest.fixture
def chatting(backend: FakeBackend, spawn: Spawn) -> Terminal:
    """A terminal in which henry is logged in and may type."""
    terminal = spawn("--url", backend.url)
    terminal.log_in("henry", "right")
    terminal.see("You:")
    return terminal

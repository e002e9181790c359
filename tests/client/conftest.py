"""The client as a person meets it: the real program in a real terminal, against a server that the test plays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fake_backend import FakeBackend
from tests.support.terminal import WAIT_SECONDS, Terminal

PROJECT = Path(__file__).resolve().parents[2]

Spawn = Callable[..., Terminal]
Pipe = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**extra: str) -> dict[str, str]:
    """No setting of whoever runs the tests, and no colour they asked for."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **keep,
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",  # nothing here answers a question about the cursor
        "PYTHONWARNINGS": "error",
        **extra,
    }


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    with FakeBackend().running() as fake:
        yield fake


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start ``client.py`` in a pseudo-terminal."""
    terminals: list[Terminal] = []

    def start(*arguments: str, columns: int = 100, **extra: str) -> Terminal:
        terminals.append(Terminal(["client.py", *arguments], environment(**extra), PROJECT, columns))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def pipe() -> Pipe:
    """Run ``client.py`` with lines on its standard input."""

    def run(*arguments: str, lines: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "client.py", *arguments],
            cwd=PROJECT,
            env=environment(**extra),
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

"""The demo: it starts with nothing configured, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from family_food.demo.backend import DemoBackend, DemoBackendError, demo_accounts
from family_food.demo.processes import ProcessTree
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.web import log_in
from tests.support.environment import PROJECT, bare_environment
from tests.support.terminal import WAIT_SECONDS, Terminal

pytestmark = pytest.mark.slow

STARTER = """
import asyncio
from family_food.demo.backend import DemoBackend
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.web import log_in

async def main():
    async with DemoBackend() as backend:
        link = await Link.open(backend.url, (await log_in(backend.url, "henry", "henry_password")).token)
        await anext(link.frames())
        print(backend.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def _gone(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true in time. What is waited for happens in processes that are nobody's children here."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition() and time.monotonic() < deadline:
        select.select([], [], [], 0.05)
    return condition()


@pytest.fixture
def demo_terminal(own_temporary_folder: Path) -> Iterator[Terminal]:
    """``client.py --demo`` in a terminal."""
    assert own_temporary_folder
    terminal = Terminal(["client.py", "--demo"], bare_environment(MODEL="demo", PROMPT_TOOLKIT_NO_CPR="1"), PROJECT)
    yield terminal
    terminal.close()


def test_the_screen_says_who_can_log_in_and_the_chat_works_at_once(
    demo_terminal: Terminal, own_temporary_folder: Path
) -> None:
    demo_terminal.see("Username:")
    for account in demo_accounts():
        assert account.password in demo_terminal.shown
        assert account.role in demo_terminal.shown
    henry = next(account for account in demo_accounts() if account.username == "henry")
    demo_terminal.enter(henry.username)
    demo_terminal.see("Password:")
    demo_terminal.enter(henry.password)
    demo_terminal.see("You:")
    demo_terminal.enter("Which restaurants are there?")
    demo_terminal.see("Sushi World")
    demo_terminal.see("You:")
    demo_terminal.control("d")
    assert demo_terminal.ended() == 0
    assert list(own_temporary_folder.iterdir()) == []


def test_a_demo_whose_window_is_closed_tidies_up(demo_terminal: Terminal, own_temporary_folder: Path) -> None:
    demo_terminal.see("Username:")
    demo_terminal.child.kill(signal.SIGTERM)
    assert demo_terminal.ended() == 143
    assert list(own_temporary_folder.iterdir()) == []


async def test_no_process_and_no_file_is_left_although_a_chat_was_open(own_temporary_folder: Path) -> None:
    strangers = ProcessTree.below(os.getpid()).members  # what other tests keep for the whole run
    async with DemoBackend() as backend:
        link = await Link.open(backend.url, (await log_in(backend.url, "henry", "henry_password")).token)
        frames = link.frames()
        assert (await anext(frames))["type"] == "hello"
        await link.send(type="message", message="Which restaurants are there?")
        async for frame in frames:
            if frame["type"] == "turn_end":
                break
        tree = ProcessTree(ProcessTree.below(os.getpid()).members - strangers)
        assert len(tree.members) >= 2  # the server and the tools of this session
    assert not tree.survivors()
    assert list(own_temporary_folder.iterdir()) == []
    await link.close()


def test_nothing_is_left_when_whoever_started_it_is_killed(own_temporary_folder: Path) -> None:
    environment = bare_environment(MODEL="demo")
    starter = subprocess.Popen([sys.executable, "-c", STARTER], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert starter.stdout is not None
        assert starter.stdout.readline().startswith("http://127.0.0.1:")
        tree = ProcessTree.below(starter.pid)
        assert tree.members
        starter.kill()
        starter.communicate(timeout=30)
        assert _gone(lambda: not tree.survivors())
        assert _gone(lambda: not list(own_temporary_folder.iterdir()))
    finally:
        starter.kill()
        starter.wait(30)


async def test_a_backend_that_cannot_start_says_why_in_one_sentence(
    own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\nnonsense: true\n")
    monkeypatch.setenv("POLICY_FILE", str(broken))
    with pytest.raises(DemoBackendError, match=r"broken\.yaml") as caught:
        async with DemoBackend():
            pytest.fail("it started")
    assert "\n" not in str(caught.value)
    assert "permit_core" not in str(caught.value)
    assert list(own_temporary_folder.iterdir()) == []


def test_a_setting_that_cannot_be_used_is_one_sentence_and_code_1() -> None:
    environment = bare_environment(MODEL="demo", ACCESS_TOKEN_EXPIRE_MINUTES="99999")
    command = [sys.executable, "client.py", "--demo", "story"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ACCESS_TOKEN_EXPIRE_MINUTES" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


async def test_a_database_that_is_configured_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = tmp_path / "precious.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{precious}")
    monkeypatch.setenv("DB_NAME", str(precious))
    async with DemoBackend() as backend:
        assert backend.settings.resolved_database_url.endswith("family_food.db")
    assert not precious.exists()

"""``--lines``: one message a line, plain output."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable

from tests.client.conftest import Pipe
from tests.support.environment import PROJECT
from tests.support.fake_backend import FakeBackend

TOKEN = {"PERMIT_CHAT_TOKEN": "first-token"}


def playing(backend: FakeBackend, play: Callable[[], None]) -> threading.Thread:
    """Play the server's part beside the client that runs."""
    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    return thread


def test_each_line_is_a_message_and_waits_for_the_answer_before(backend: FakeBackend, pipe: Pipe) -> None:
    heard: list[str] = []

    def play() -> None:
        for turn in (1, 2):
            heard.append(backend.received()["message"])
            backend.begin(turn)
            assert backend.silent()
            backend.stream(f"Answer {turn} ", "is long " * 30, "and ends.", turn=turn)
            backend.send({"type": "text", "content": "the same", "turn": turn, "streamed": True})
            backend.end(turn)

    thread = playing(backend, play)
    done = pipe("--lines", "--url", backend.url, **TOKEN, lines="  first \r\n\n\nsecond")
    thread.join(30)
    assert done.returncode == 0, done.stderr
    assert heard == ["first", "second"]
    assert done.stdout == "".join(f"Answer {turn} {'is long ' * 30}and ends.\n" for turn in (1, 2))
    assert "\x1b" not in done.stderr
    assert "You:" not in done.stderr


def test_exit_leaves_before_the_end_of_the_input(backend: FakeBackend, pipe: Pipe) -> None:
    done = pipe("--lines", "--url", backend.url, **TOKEN, lines="exit\nnever sent\n")
    assert done.returncode == 0
    assert backend.silent()


def test_a_decision_is_never_confirmed_by_a_line_that_was_written_before(backend: FakeBackend, pipe: Pipe) -> None:
    frames = []

    def play() -> None:
        frames.append(backend.received())
        backend.begin()
        backend.send({"type": "confirm", "content": "Approve?", "confirm_id": "c-1", "comment": "", "request": {}})
        frames.append(backend.received())
        backend.end()
        frames.append(backend.received())
        backend.answer("Yes what?", 2)

    thread = playing(backend, play)
    done = pipe("--lines", "--url", backend.url, **TOKEN, lines="approve everything\nyes\n")
    thread.join(30)
    assert [frame.get("answer", frame.get("message")) for frame in frames] == ["approve everything", False, "yes"]
    assert "only a person at a terminal can confirm" in done.stderr


def test_an_error_goes_to_stderr_and_makes_the_exit_code_1(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        backend.received()
        backend.send({"type": "error", "content": "That went wrong.", "code": "x", "hint": ""})

    thread = playing(backend, play)
    done = pipe("--lines", "--url", backend.url, **TOKEN, lines="hello\n")
    thread.join(30)
    assert done.returncode == 1
    assert "That went wrong." in done.stderr
    assert "That went wrong." not in done.stdout


def test_without_a_log_in_nothing_is_sent_and_nobody_is_asked(backend: FakeBackend, pipe: Pipe) -> None:
    done = pipe("--lines", "--url", backend.url, lines="henry\nright\nhello\n")
    assert done.returncode == 3
    assert f"client.py --url {backend.url} --login" in done.stderr
    assert backend.opened == 0


def test_bytes_that_are_not_utf_8_are_replaced(backend: FakeBackend, pipe: Pipe) -> None:
    heard: list[str] = []

    def play() -> None:
        heard.append(backend.received()["message"])
        backend.answer("Crème brûlée 🍮 \ud83d")

    thread = playing(backend, play)
    done = pipe("--lines", "--url", backend.url, **TOKEN, lines=b"caf\xe9 \xff\n", PYTHONIOENCODING="ascii")
    thread.join(30)
    assert heard == ["caf\ufffd \ufffd"]
    assert "Cr?me br?l?e" in done.stdout
    assert done.returncode == 0, done.stderr


def test_the_client_starts_without_the_rest_of_the_project() -> None:
    code = (
        "import json, sys, client\n"
        "print(json.dumps([n for n in sys.modules if n.split('.')[0] in "
        "('permit_core', 'permit_mcp', 'family_food', 'pydantic', 'sqlalchemy', 'mcp', 'httpx', 'prompt_toolkit')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, timeout=60, check=True)
    loaded = json.loads(done.stdout)
    assert [name for name in loaded if not name.startswith("family_food.terminal")] == ["family_food"]

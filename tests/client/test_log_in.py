"""Getting in, or not: what the person is told and the exit code."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import Pipe, Spawn
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.slow


def playing(play: Callable[[], object]) -> threading.Thread:
    """Play the server's part beside the client that runs."""
    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    return thread


def say_yes(backend: FakeBackend) -> None:
    """Answer the next message."""
    backend.received()
    backend.answer("Yes.")


def free_address() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("arguments", [(), ("--login",)])
def test_a_wrong_password_is_asked_again_and_three_of_them_end_with_code_3(
    backend: FakeBackend, spawn: Spawn, arguments: tuple[str, ...]
) -> None:
    terminal = spawn("--url", backend.url, *arguments)
    for _ in range(3):
        terminal.log_in("henry", "wrong")
        assert "❌" not in terminal.see("Login failed: Incorrect username or password")
    assert terminal.ended() == 3


def test_a_mistyped_password_is_asked_again(backend: FakeBackend, spawn: Spawn) -> None:
    terminal = spawn("--url", backend.url, "--user", "henry")
    for password in ("rihgt", "right"):
        terminal.see("Password:")
        terminal.enter(password)
    terminal.see("You:")
    assert "Username" not in terminal.shown
    terminal.enter("hello")
    backend.received()
    backend.answer("Good day.")
    terminal.see("Good day.")
    terminal.control("d")
    terminal.see(f"uv run client.py --url {backend.url} --user henry --resume s-1")
    assert terminal.ended() == 0


def test_too_many_log_ins_say_when_to_try_again(backend: FakeBackend, pipe: Pipe) -> None:
    backend.refuse = 429
    done = pipe("--login", "--url", backend.url, lines="henry\nright\n")
    assert done.returncode == 3
    assert "Too many log-ins. Try again in 7 seconds." in done.stderr


def test_a_socket_refused_to_a_good_token_means_too_many_chats_and_code_6(backend: FakeBackend, pipe: Pipe) -> None:
    backend.refuse = 403
    done = pipe("--url", backend.url, "hello", PERMIT_CHAT_TOKEN="first-token")
    assert done.returncode == 6
    assert "Too many of your chats are open." in done.stderr


def test_a_token_that_is_refused_ends_with_code_3(backend: FakeBackend, pipe: Pipe) -> None:
    done = pipe("--url", backend.url, "hello", PERMIT_CHAT_TOKEN="old-token")
    assert done.returncode == 3
    assert "The token in PERMIT_CHAT_TOKEN is not good any more." in done.stderr


def test_an_absent_server_ends_with_code_4_and_one_sentence(spawn: Spawn) -> None:
    url = free_address()
    for arguments in ((), ("--login",)):
        terminal = spawn("--url", url, *arguments, columns=200)
        terminal.see(f"The chat server at {url} cannot be reached.")
        terminal.see("Start it with: uv run server.py")
        assert terminal.ended() == 4
        assert "Traceback" not in terminal.shown
        assert "Username" not in terminal.shown


def test_something_that_is_no_chat_server_ends_with_code_4(backend: FakeBackend, pipe: Pipe) -> None:
    done = pipe("--login", "--url", f"{backend.url}/elsewhere", lines="henry\nright\n")
    assert done.returncode == 4
    assert "this is not the chat server" in done.stderr


def test_the_user_can_be_named_on_the_command_line_and_the_server_in_the_environment(
    backend: FakeBackend, spawn: Spawn
) -> None:
    terminal = spawn("--user", "henry", PERMIT_CHAT_URL=backend.url)
    terminal.see("Password:")
    terminal.enter("right")
    terminal.see("You:")
    assert "Username" not in terminal.shown
    assert backend.headers["authorization"] == "Bearer first-token"


def test_ctrl_c_at_the_log_in_ends_with_code_130(backend: FakeBackend, spawn: Spawn) -> None:
    terminal = spawn("--url", backend.url)
    terminal.see("Username:")
    terminal.control("c")
    assert terminal.ended() == 130


def test_ctrl_d_at_the_log_in_ends_with_code_3(backend: FakeBackend, spawn: Spawn) -> None:
    terminal = spawn("--url", backend.url)
    terminal.see("Username:")
    terminal.control("d")
    assert terminal.ended() == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "ftp://x"),
        ("--url", "localhost:8000"),
        ("--url", "http://x:port"),
        ("--what",),
        ("--demo", "story", "how are you?"),
        ("--demo", "--resume", "s-1"),
        ("--login", "--logout"),
        ("--login", "question"),
        ("--resume", "s-1", "--continue", "question"),
        ("--json", "--stream-json", "question"),
        ("--lines", "question"),
        ("--lines", "--json"),
        ("",),
        ("--token", "secret", "question"),
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_code_2(pipe: Pipe, arguments: tuple[str, ...]) -> None:
    done = pipe(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_in_an_address_is_refused_and_never_told_again(pipe: Pipe) -> None:
    for url in ("http://henry:hunter2@localhost:1", "http://henry:hunter2@[", "henry:hunter2@localhost"):
        done = pipe("--url", url, "hello")
        assert done.returncode == 2
        assert "holds no name and no password" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        told = [pipe("--help", PERMIT_CHAT_URL=url), pipe("hello", PERMIT_CHAT_URL=url)]
        assert [done.returncode for done in told] == [0, 2]
        assert "hunter2" not in "".join(done.stdout + done.stderr for done in told)


def test_the_help_names_every_option(pipe: Pipe) -> None:
    done = pipe("--help")
    assert done.returncode == 0
    for option in ("--url", "--user", "--demo", "--login", "--json", "--continue", "PERMIT_CHAT_URL", "130"):
        assert option in done.stdout


def test_a_dumb_terminal_gets_plain_lines_and_can_still_confirm(backend: FakeBackend, spawn: Spawn) -> None:
    terminal = spawn("--url", backend.url, TERM="dumb")
    terminal.see("Username:")
    terminal.enter("henry")
    terminal.see("Password:")
    terminal.enter("right")
    terminal.see("You:")
    terminal.enter("approve it")
    backend.received()
    backend.begin()
    terminal.enter("yes")  # too early: there is no question yet
    backend.send({"type": "confirm", "content": "Approve?", "confirm_id": "c-1", "comment": "", "request": {}})
    terminal.see("Approve?")
    terminal.see("[y/N]")
    assert backend.silent()
    terminal.enter("yes")
    assert backend.received()["answer"] is True
    backend.end()
    terminal.see("You:")
    terminal.enter("exit")
    assert terminal.ended() == 0
    assert "\x1b" not in terminal.raw
    assert "right" not in terminal.shown


def test_a_log_in_is_stored_for_later_runs_and_forgotten_again(
    backend: FakeBackend, spawn: Spawn, pipe: Pipe, state: Path
) -> None:
    terminal = spawn("--login", "--url", backend.url)
    terminal.log_in("henry", "right")
    terminal.see("Logged in as henry.")
    terminal.see("30 minutes")
    assert terminal.ended() == 0
    (path,) = (state / "permit-chat").glob("token-*")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "right" not in path.read_text()
    thread = playing(lambda: say_yes(backend))
    done = pipe("--url", backend.url, "hello")
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Yes.\n")
    assert backend.headers["authorization"] == "Bearer first-token"
    chat = spawn("--url", backend.url)
    chat.see("You:")
    assert "Password" not in chat.shown
    chat.control("d")
    assert chat.ended() == 0
    gone = pipe("--logout", "--url", backend.url)
    assert gone.returncode == 0
    assert "Forgotten: henry" in gone.stdout + gone.stderr
    assert not path.exists()
    assert pipe("--url", backend.url, "hello").returncode == 3


def test_a_log_in_takes_name_and_password_from_a_pipe(backend: FakeBackend, pipe: Pipe, state: Path) -> None:
    done = pipe("--login", "--user", "henry", "--url", backend.url, lines="right\n")
    assert done.returncode == 0, done.stderr
    assert len(list((state / "permit-chat").glob("token-*"))) == 1
    refused = pipe("--login", "--url", backend.url, lines="henry\nwrong\n")
    assert refused.returncode == 3
    assert "Incorrect username or password" in refused.stderr
    assert pipe("--login", "--url", backend.url).returncode == 3


@pytest.mark.parametrize(("left", "renewed"), [(1000, False), (800, True), (-1, False)])
def test_a_stored_log_in_is_renewed_when_less_than_half_of_it_is_left(
    backend: FakeBackend, pipe: Pipe, state: Path, left: int, renewed: bool
) -> None:
    pipe("--login", "--user", "henry", "--url", backend.url, lines="right\n")
    (path,) = (state / "permit-chat").glob("token-*")
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "expires_at": time.time() + left}))
    thread = playing(lambda: say_yes(backend) if left > 0 else None)
    done = pipe("--url", backend.url, "hello")
    thread.join(30)
    assert done.returncode == (0 if left > 0 else 3)
    assert (backend.refreshed == ["second-token"]) is renewed
    now = json.loads(path.read_text())
    assert now["token"] == ("second-token" if renewed else "first-token")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_stored_log_in_that_the_server_does_not_know_any_more_leads_to_the_password(
    backend: FakeBackend, spawn: Spawn, pipe: Pipe
) -> None:
    pipe("--login", "--user", "henry", "--url", backend.url, lines="right\n")
    backend.tokens = {"second-token"}
    done = pipe("--url", backend.url, "hello")
    assert done.returncode == 3
    terminal = spawn("--url", backend.url)
    terminal.see("The stored log-in is not good any more.")
    backend.tokens = {"first-token"}
    terminal.log_in("henry", "right")
    terminal.see("You:")


def test_a_token_file_that_others_can_read_is_not_used(backend: FakeBackend, pipe: Pipe, state: Path) -> None:
    pipe("--login", "--user", "henry", "--url", backend.url, lines="right\n")
    (path,) = (state / "permit-chat").glob("token-*")
    path.chmod(0o644)
    done = pipe("--url", backend.url, "hello")
    assert done.returncode == 3
    assert "can be read by others" in done.stderr
    assert backend.opened == 0


def test_an_earlier_conversation_goes_on_in_the_terminal(backend: FakeBackend, spawn: Spawn) -> None:
    backend.conversations["s-4"] = {"title": "Pizza"}
    terminal = spawn("--url", backend.url, "--resume", "s-4", PERMIT_CHAT_TOKEN="first-token")
    terminal.see("Pizza")
    terminal.see("You:")
    assert backend.query["session"] == "s-4"

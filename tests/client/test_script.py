"""``client.py "question"``: the answer on standard output, all else on standard error, and an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

from tests.client.conftest import Pipe
from tests.client.test_log_in import free_address
from tests.client.test_pipe import TOKEN, playing
from tests.support.environment import PROJECT, bare_environment
from tests.support.fake_backend import WAIT_SECONDS, FakeBackend

pytestmark = pytest.mark.slow

CONFIRM = {"type": "confirm", "content": "Approve Henry's pizza?", "confirm_id": "c-1", "comment": "", "request": {}}


def answered(backend: FakeBackend, *texts: str, outcome: str = "completed") -> None:
    backend.received()
    backend.begin()
    for text in texts:
        backend.send({"type": "text", "content": text, "turn": 1, "streamed": False})
    backend.end(outcome=outcome, input_tokens=12, output_tokens=3)


def test_the_answer_is_all_there_is_on_standard_output(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        assert backend.received()["message"] == "what can I eat?"
        backend.begin()
        backend.send({"type": "status", "content": "Processing function calls..."})
        backend.tool("list_dishes", "started")
        backend.tool("list_dishes", "done", content="5 dishes")
        backend.stream("Piz", "za.")
        backend.send({"type": "text", "content": "Pizza.", "turn": 1, "streamed": True})
        backend.send({"type": "notice", "content": "Joe approved it.", "event": "request_decided", "request": {}})
        backend.send({"type": "text", "content": "And sushi.", "turn": 1, "streamed": False})
        backend.end()

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "what", "can", "I", "eat?", **TOKEN)
    thread.join(30)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Pizza.\n\nAnd sushi.\n"
    assert "list_dishes(), 5 dishes" in done.stderr
    assert "Joe approved it." in done.stderr
    assert "Processing" not in done.stderr
    assert backend.closed.wait(WAIT_SECONDS)


def test_an_argument_that_is_no_utf_8_is_asked_with_question_marks(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        assert backend.received()["message"] == "caf? \u00e9"
        backend.answer("Coffee.")

    thread = playing(backend, play)
    done = pipe("--url", backend.url, os.fsdecode(b"caf\xe9 \xc3\xa9"), PYTHONUTF8="1", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Coffee.\n")


@pytest.mark.parametrize(
    ("arguments", "lines", "question"),
    [
        ((), "first\nsecond\n", "first\nsecond"),
        (("-",), " all of it ", "all of it"),
        (("sum it up:",), "one\ntwo\n", "sum it up:\n\none\ntwo"),
        (("sum it up:", "-"), "one\n", "sum it up:\n\none"),
        (("just this",), "", "just this"),
        (("--", "--really?"), "", "--really?"),
        ((), b"caf\xe9", "caf\ufffd"),
    ],
)
def test_what_comes_through_a_pipe_is_the_question_or_follows_it(
    backend: FakeBackend, pipe: Pipe, arguments: tuple[str, ...], lines: str | bytes, question: str
) -> None:
    heard: list[str] = []

    def play() -> None:
        heard.append(backend.received()["message"])
        backend.answer("Yes.")

    thread = playing(backend, play)
    done = pipe("--url", backend.url, *arguments, lines=lines, **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Yes.\n")
    assert heard == [question]


def test_no_question_at_all_is_a_mistake_in_usage(backend: FakeBackend, pipe: Pipe) -> None:
    done = pipe("--url", backend.url, **TOKEN)
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no question" in done.stderr
    assert backend.opened == 0


def test_code_1_for_an_empty_answer(backend: FakeBackend, pipe: Pipe) -> None:
    thread = playing(backend, lambda: answered(backend, " \n"))
    done = pipe("--url", backend.url, "hello", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert "The answer is empty." in done.stderr


@pytest.mark.parametrize("replies", [True, False])
def test_code_1_for_an_error(backend: FakeBackend, pipe: Pipe, replies: bool) -> None:
    def play() -> None:
        message = backend.received()
        refusal = {"type": "error", "content": "That went wrong.", "code": "busy", "hint": "Wait."}
        backend.send({**refusal, "reply_to": message["id"] if replies else None})

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "hello", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: That went wrong. Wait." in done.stderr


def test_code_1_for_a_turn_that_fails(backend: FakeBackend, pipe: Pipe) -> None:
    thread = playing(backend, lambda: answered(backend, "Half an answ", outcome="failed"))
    done = pipe("--url", backend.url, "hello", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (1, "Half an answ\n")


@pytest.mark.parametrize("asked", [("-p", "hello"), ("--prompt=--hello",), ("--prompt", "hello")])
def test_a_question_may_be_named_as_one(backend: FakeBackend, pipe: Pipe, asked: tuple[str, ...]) -> None:
    thread = playing(backend, lambda: answered(backend, "Hello!"))
    done = pipe("--url", backend.url, *asked, **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Hello!\n")


def test_the_version_is_told_and_nothing_is_asked(pipe: Pipe) -> None:
    done = pipe("--version", lines="hello\n")
    assert (done.returncode, done.stdout) == (0, f"client.py {version('permit-mcp')}\n")


def test_code_3_without_a_log_in_and_nobody_is_asked(backend: FakeBackend, pipe: Pipe) -> None:
    done = pipe("--url", backend.url, "hello", lines="henry\nright\n")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"uv run client.py --url {backend.url} --login" in done.stderr
    assert "PERMIT_CHAT_TOKEN" in done.stderr
    assert "Password" not in done.stderr
    assert backend.opened == 0


def test_code_4_without_a_server(pipe: Pipe) -> None:
    done = pipe("--url", free_address(), "hello", **TOKEN)
    assert (done.returncode, done.stdout) == (4, "")
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize("code", ["access_denied", "approval_needed", "approval_denied", "not_confirmed"])
def test_code_5_for_a_call_that_was_denied(backend: FakeBackend, pipe: Pipe, code: str) -> None:
    def play() -> None:
        backend.received()
        backend.begin()
        backend.tool("order_dish", "refused", code=code, content="Not without a parent.")
        backend.send({"type": "text", "content": "You may not.", "turn": 1, "streamed": False})
        backend.end()

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "order it", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (5, "You may not.\n")
    assert f"({code})" in done.stderr


def test_code_6_for_a_limit(backend: FakeBackend, pipe: Pipe) -> None:
    thread = playing(backend, lambda: answered(backend, "So far", outcome="limit"))
    done = pipe("--url", backend.url, "tell me everything", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (6, "So far\n")
    assert "limit" in done.stderr


def start(backend: FakeBackend, *arguments: str, **extra: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "client.py", "--url", backend.url, *arguments],
        cwd=PROJECT,
        env=bare_environment(**TOKEN, **extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_code_130_for_ctrl_c_which_cancels_the_turn_first(backend: FakeBackend) -> None:
    with start(backend, "tell me everything") as asking:
        try:
            backend.received()
            backend.begin()
            backend.stream("Well, ")
            asking.send_signal(signal.SIGINT)
            assert backend.received() == {"type": "cancel"}
            backend.send({"type": "status", "content": "Stopped. The order had already been placed."})
            backend.end(outcome="cancelled")
            out, err = asking.communicate(timeout=WAIT_SECONDS)
        finally:
            asking.kill()
    assert asking.returncode == 130
    assert out.decode() == "Well, \n"
    assert "The order had already been placed." in err.decode()


def test_a_second_ctrl_c_waits_for_nothing(backend: FakeBackend) -> None:
    with start(backend, "hang") as asking:
        try:
            backend.received()
            asking.send_signal(signal.SIGINT)
            backend.received()
            asking.send_signal(signal.SIGINT)
            _, err = asking.communicate(timeout=WAIT_SECONDS)
        finally:
            asking.kill()
    assert asking.returncode == 130
    assert b"Traceback" not in err


def test_code_143_when_it_is_told_to_end(backend: FakeBackend) -> None:
    with start(backend, "hang") as asking:
        try:
            backend.received()
            asking.terminate()
            _, err = asking.communicate(timeout=WAIT_SECONDS)
        finally:
            asking.kill()
    assert asking.returncode == 143
    assert backend.closed.wait(WAIT_SECONDS)
    assert b"Traceback" not in err


def test_a_reader_that_goes_away_ends_it_quietly_and_cancels_the_turn(backend: FakeBackend) -> None:
    with start(backend, "tell me everything") as asking:
        try:
            backend.received()
            backend.begin()
            backend.stream("first\n")
            assert asking.stdout is not None
            assert asking.stdout.readline() == b"first\n"
            asking.stdout.close()
            backend.stream("second\n")
            assert backend.received() == {"type": "cancel"}
            backend.end(outcome="cancelled")
            assert asking.stderr is not None
            err = asking.stderr.read()
            assert asking.wait(WAIT_SECONDS) == 1
        finally:
            asking.kill()
    assert err == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start_do_no_harm(backend: FakeBackend, closed: str) -> None:
    thread = playing(backend, lambda: answered(backend, "Yes."))
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" client.py --url "{backend.url}" hello {closed}'],
        cwd=PROJECT,
        env=bare_environment(**TOKEN),
        capture_output=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    thread.join(30)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else b"Yes.\n")


def test_no_escape_and_no_control_character_reaches_either_stream(backend: FakeBackend, pipe: Pipe) -> None:
    nasty = "\x1b[2J\x1b]0;title\x07\u202e\x9b31m[bold]x[/]"

    def play() -> None:
        backend.received()
        backend.begin()
        backend.send({"type": "status", "content": nasty})
        backend.tool("list_dishes", "failed", code=nasty, content=nasty, arguments={nasty: nasty})
        backend.stream(nasty, "\x1b", "[31m")
        backend.send({"type": "text", "content": nasty, "turn": 1, "streamed": True})
        backend.send({"type": "error", "content": nasty, "code": "x", "hint": nasty})
        backend.end(outcome="failed")

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "hello", FORCE_COLOR="1", **TOKEN)
    thread.join(30)
    for stream in (done.stdout, done.stderr):
        assert "[bold]x[/]" in stream
        assert not {character for character in stream if character < " " and character != "\n"}
        assert "\x9b" not in stream
        assert "\u202e" not in stream


def test_a_decision_is_answered_by_saying_that_nobody_is_there(backend: FakeBackend, pipe: Pipe) -> None:
    answers: list[dict[str, Any]] = []

    def play() -> None:
        backend.received()
        backend.begin()
        backend.send(CONFIRM)
        answers.append(backend.received())
        backend.tool("approve_operation_approval", "refused", code="not_confirmed")
        backend.send({"type": "text", "content": "It was not confirmed.", "turn": 1, "streamed": False})
        backend.end()

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "approve everything", lines="yes\nyes\n", **TOKEN)
    thread.join(30)
    assert answers == [{"type": "confirm", "confirm_id": "c-1", "answer": False, "unattended": True}]
    assert done.returncode == 5
    assert "Approve Henry's pizza?" in done.stderr
    assert "Not confirmed: nobody is here to be asked." in done.stderr


def test_news_of_before_is_no_part_of_the_answer(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        backend.received()
        backend.begin(1, "event")
        backend.send({"type": "text", "content": "Joe said yes to the fries.", "turn": 1, "streamed": False})
        backend.end(1)
        backend.answer("Good day.", 2)

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "hello", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Good day.\n")
    assert "Joe said yes" in done.stderr


def test_a_lost_connection_is_no_reason_to_lose_the_answer(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        backend.received()
        backend.begin()
        backend.stream("Piz")
        backend.drop()
        backend.stream("za.")
        backend.send({"type": "text", "content": "Pizza.", "turn": 1, "streamed": True})
        backend.end()

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "what can I eat?", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Pizza.\n")
    assert "connection" in done.stderr


def test_an_earlier_conversation_goes_on_by_its_id_or_as_the_newest(backend: FakeBackend, pipe: Pipe) -> None:
    backend.conversations = {
        "s-4": {"title": "Older", "updated_at": "2026-01-01T00:00:00Z"},
        "s-5": {"title": "Newer", "updated_at": "2026-02-01T00:00:00Z"},
    }
    for arguments, session in ((("--resume", "s-4"), "s-4"), (("--continue",), "s-5")):
        thread = playing(backend, lambda: answered(backend, "Yes."))
        done = pipe("--url", backend.url, *arguments, "--json", "go on", **TOKEN)
        thread.join(30)
        assert done.returncode == 0, done.stderr
        assert backend.query["session"] == session
        assert json.loads(done.stdout)["session_id"] == session


@pytest.mark.parametrize("arguments", [("--resume", "s-9"), ("--continue",)])
def test_a_conversation_that_is_not_there_is_no_reason_to_begin_one(
    backend: FakeBackend, pipe: Pipe, arguments: tuple[str, ...]
) -> None:
    done = pipe("--url", backend.url, *arguments, "go on", **TOKEN)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no conversation" in done.stderr or "no such conversation" in done.stderr
    assert backend.opened == 0


def test_json_is_one_object_with_what_was_done_and_asked_for(backend: FakeBackend, pipe: Pipe) -> None:
    request = {"id": "r-2", "kind": "operation_approval", "status": "pending", "requesting_user": "Henry"}
    backend.listings["requests"] = [{**request, "id": "r-1"}]

    def play() -> None:
        backend.received()
        backend.begin()
        backend.tool("create_operation_approval", "started", arguments={"reason": "birthday"})
        backend.tool("create_operation_approval", "done", content="asked", arguments={"reason": "birthday"})
        backend.listings["requests"] = [{**request, "id": "r-1"}, request, {**request, "requesting_user": "Rose"}]
        backend.stream("I asked ", "a parent.")
        backend.send({"type": "text", "content": "I asked a parent.", "turn": 1, "streamed": True})
        backend.end(input_tokens=12, output_tokens=3)

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "--json", "order the platter", **TOKEN)
    thread.join(30)
    assert done.returncode == 5
    call = {"name": "create_operation_approval", "arguments": {"reason": "birthday"}, "state": "done", "code": None}
    assert json.loads(done.stdout) == {
        "answer": "I asked a parent.",
        "outcome": "completed",
        "session_id": "s-1",
        "tools": [call],
        "usage": {"input_tokens": 12, "output_tokens": 3},
        "requests": [request],
        "error": None,
    }
    assert done.stdout.count("\n") == 1


def test_json_is_one_object_whatever_goes_wrong(backend: FakeBackend, pipe: Pipe) -> None:
    for url, token, code, word in (
        (backend.url, "old", 3, "not_logged_in"),
        (free_address(), "first-token", 4, "unreachable"),
    ):
        done = pipe("--url", url, "--json", "hello", PERMIT_CHAT_TOKEN=token)
        assert done.returncode == code
        told = json.loads(done.stdout)
        assert (told["answer"], told["outcome"], told["error"]["code"]) == ("", None, word)
        assert told["error"]["message"] in done.stderr


def test_json_tells_the_error_of_a_turn(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        backend.received()
        backend.begin()
        backend.send({"type": "error", "content": "Too fast.", "code": "model_rate_limited", "hint": "Wait."})
        backend.end(outcome="failed")

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "--json", "hello", **TOKEN)
    thread.join(30)
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"] == {"code": "model_rate_limited", "message": "Too fast.", "hint": "Wait."}


def test_json_tells_why_there_is_no_whole_answer(backend: FakeBackend, pipe: Pipe) -> None:
    for outcome, code in (("interrupted", "interrupted"), ("cancelled", "cancelled"), ("completed", "empty_answer")):
        thread = playing(backend, lambda outcome=outcome: answered(backend, outcome=outcome))  # type: ignore[misc]
        done = pipe("--url", backend.url, "--json", "hello", **TOKEN)
        thread.join(30)
        told = json.loads(done.stdout)
        assert (done.returncode, told["outcome"], told["error"]["code"]) == (1, outcome, code)
        assert told["error"]["message"].startswith("The answer ")


def test_stream_json_is_every_frame_of_the_server_and_nothing_else(backend: FakeBackend, pipe: Pipe) -> None:
    thread = playing(backend, lambda: answered(backend, "Crème \x1b[2J\x7f"))
    done = pipe("--url", backend.url, "--stream-json", "hello", **TOKEN)
    thread.join(30)
    assert done.returncode == 0
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [frame["type"] for frame in frames] == [
        "hello",
        "accepted",
        "turn_start",
        "text",
        "history_update",
        "turn_end",
    ]
    assert frames[3]["content"] == "Crème \x1b[2J\x7f"
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert "\x7f" not in done.stdout


def test_an_expiring_token_is_renewed_while_an_answer_is_waited_for(backend: FakeBackend, pipe: Pipe) -> None:
    def play() -> None:
        backend.received()
        backend.send({"type": "token_expiring", "content": "Soon.", "expires_at": 1})
        assert backend.received() == {"type": "authenticate", "token": "second-token"}
        backend.answer("Done.")

    thread = playing(backend, play)
    done = pipe("--url", backend.url, "hello", **TOKEN)
    thread.join(30)
    assert (done.returncode, done.stdout) == (0, "Done.\n")


def test_the_token_is_in_no_argument_and_no_output(backend: FakeBackend, pipe: Pipe) -> None:
    thread = playing(backend, lambda: answered(backend, "Yes."))
    done = pipe("--url", backend.url, "--stream-json", "hello", **TOKEN)
    thread.join(30)
    assert "first-token" not in done.stdout + done.stderr
    assert "first-token" not in " ".join(done.args)
    assert os.environ.get("PERMIT_CHAT_TOKEN") is None


def test_the_stored_conversations_are_listed_newest_first(backend: FakeBackend, pipe: Pipe) -> None:
    backend.conversations = {
        "s-4": {"title": "Older \x1b[2J", "updated_at": "2026-01-01T00:00:00Z", "turns": 3},
        "s-5": {"title": "Newer", "updated_at": "2026-02-01T00:00:00Z", "turns": 1},
    }
    done = pipe("--url", backend.url, "--sessions", **TOKEN)
    assert done.returncode == 0
    cells = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(cell[0], cell[1], cell[3]) for cell in cells] == [("s-5", "1", "Newer"), ("s-4", "3", "Older [2J")]
    as_json = pipe("--url", backend.url, "--sessions", "--json", **TOKEN)
    assert [one["id"] for one in json.loads(as_json.stdout)] == ["s-5", "s-4"]
    lines = pipe("--url", backend.url, "--sessions", "--stream-json", **TOKEN)
    assert [json.loads(line)["id"] for line in lines.stdout.splitlines()] == ["s-5", "s-4"]
    assert pipe("--url", backend.url, "--sessions").returncode == 3

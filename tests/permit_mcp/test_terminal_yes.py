"""From an empty folder to a guarded tool, a question, a yes at a real terminal, and one execution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pexpect  # type: ignore[import-untyped]
import pytest
from mcp import Client, StdioServerParameters

from permit_mcp.init_command import FILES
from permit_mcp.refusals import REFUSAL
from tests.support.environment import PROJECT
from tests.support.tool_servers import refusal_of, text_of
from tests.support.typescript_client import play

pytestmark = pytest.mark.slow

SECONDS = 60
COMMAND = [sys.executable, "-m", "permit_mcp.command_line"]


def environment(folder: Path) -> dict[str, str]:
    """What every program of one installation has."""
    return {
        **{name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")},
        "HOME": str(folder),
        "ENV_FILE": "",
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'permit.db'}",
        "POLICY_FILE": str(folder / "policy.yaml"),
        "FACTS_FILE": str(folder / "facts.yaml"),
        "STATE_DIR": str(folder / "state"),
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(PROJECT / "src"),
        "COLUMNS": "200",
    }


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints that needs no terminal."""
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment(folder), cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=SECONDS, check=False, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def terminal(folder: Path, *arguments: str) -> Iterator[Any]:
    """A command at a terminal of its own."""
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], *arguments], env=environment(folder), cwd=str(folder), timeout=SECONDS,
        encoding="utf-8", dimensions=(40, 200),
    )  # fmt: skip
    try:
        yield child
    finally:
        child.close(force=True)


def at_terminal(folder: Path, answer: str, *arguments: str) -> tuple[str, int]:
    """What a command that asks once says, and its exit code."""
    with terminal(folder, *arguments) as child:
        child.expect(r"\[y/N\] ")
        said = child.before
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.wait()
        return said + child.before, child.exitstatus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(tmp_path, "init")
    return tmp_path


def agent(folder: Path, era: str = "auto") -> Client:
    """A client of the server that ``init`` wrote, over stdio."""
    parameters = StdioServerParameters(command=sys.executable, args=["server.py"], env=environment(folder), cwd=folder)
    return Client(parameters, mode=era, cache=None, read_timeout_seconds=SECONDS)


async def asked(client: Client, name: str) -> str:
    """The id of the request that a refused deletion makes or finds."""
    refused = refusal_of(await client.call_tool("delete_file", {"name": name}))
    assert refused["code"] == "approval_pending"
    return str(refused["request_id"])


def test_init_writes_what_works_and_overwrites_nothing(folder: Path) -> None:
    assert all((folder / name).exists() for name in FILES)
    assert "valid" in run(folder, "policy", "check", "policy.yaml")
    assert "3 of 3" in run(folder, "policy", "test", "policy.yaml")
    (folder / "policy.yaml").write_text("mine")
    assert "nothing was written" in run(folder, "init", code=2)
    assert (folder / "policy.yaml").read_text() == "mine"


async def test_a_yes_typed_after_the_question_stood_lets_exactly_one_call_through(folder: Path) -> None:
    with anyio.fail_after(SECONDS * 3):
        with terminal(folder, "requests", "watch") as watch:
            watch.expect("Waiting for requests")
            watch.send("y\n")  # before there is a question: dropped
            async with agent(folder) as client:
                request_id = await asked(client, "report.txt")
                await anyio.to_thread.run_sync(watch.expect, "Enter for neither: ")
                question = watch.before
                assert "one call of delete_file" in question
                assert 'name = "report.txt"' in question
                assert "a yes lasts: 1 hour\r" in question
                assert "Bot" in question
                assert (folder / "files" / "report.txt").exists()
                assert await asked(client, "report.txt") == request_id
                watch.sendline("y")
                await anyio.to_thread.run_sync(watch.expect, "is approved")
                seen = (await client.call_tool("wait_for_request", {"request_id": request_id})).structured_content
                assert seen is not None
                assert seen["status"] == "approved"
                done = await client.call_tool("delete_file", {"name": "report.txt"})
                assert text_of(done) == "deleted report.txt"
                assert not (folder / "files" / "report.txt").exists()
                second = await asked(client, "report.txt")
                assert second != request_id
                await anyio.to_thread.run_sync(watch.expect, "Enter for neither: ")
                watch.sendline("")
                await anyio.to_thread.run_sync(watch.expect, "Left as it is")
            watch.sendintr()
            watch.expect(pexpect.EOF)
    said, code = at_terminal(folder, "n", "requests", "deny", second)
    assert (code, "Nothing was done" in said) == (1, True)
    said, code = at_terminal(folder, "y", "requests", "deny", second, "--comment", "no\x1b[31m!")
    assert (code, "is denied" in said) == (0, True)
    assert "\x1b[31m" not in said
    listed = json.loads(run(folder, "requests", "list", "--json"))
    assert {entry["id"]: entry["status"] for entry in listed} == {request_id: "used", second: "denied"}
    assert "one call of delete_file" in run(folder, "requests", "show", second)


async def test_a_typescript_client_reads_the_question_and_has_the_call_run_after_the_yes(folder: Path) -> None:
    server = {"command": sys.executable, "args": ["server.py"], "env": environment(folder), "cwd": str(folder)}
    delete = {"name": "delete_file", "arguments": {"name": "report.txt"}}
    first = (await play(server, [delete]))["answers"][0]
    assert first["meta"][REFUSAL]["code"] == "approval_pending"
    said, code = at_terminal(folder, "y", "requests", "approve", first["meta"][REFUSAL]["request_id"])
    assert (code, "is approved" in said) == (0, True)
    done, again = (await play(server, [delete, delete]))["answers"]
    assert done["structured"] == {"result": "deleted report.txt"}
    assert again["meta"][REFUSAL]["code"] == "approval_pending"


def test_without_a_terminal_nothing_is_decided(folder: Path) -> None:
    assert "there is none here" in run(folder, "grant", "bot", "owner", code=2)
    assert "there is none here" in run(folder, "requests", "watch", code=2)


def test_roles_are_given_and_taken_at_the_terminal_and_stay_taken(folder: Path) -> None:
    said, code = at_terminal(folder, "yes", "grant", "bot", "owner")
    assert (code, "Done." in said) == (0, True)
    assert json.loads(run(folder, "users", "--json"))[0]["roles"] == ["agent", "owner"]
    assert "It is so already" in run(folder, "grant", "bot", "owner")
    said, code = at_terminal(folder, "", "revoke", "bot", "agent")
    assert (code, "Nothing was done" in said) == (1, True)
    said, code = at_terminal(folder, "y", "revoke", "bot", "agent")
    assert (code, "Done." in said) == (0, True)
    assert json.loads(run(folder, "users", "--json"))[0]["roles"] == ["owner"]
    left = run(folder, "facts", "load", "facts.yaml")
    assert "it was taken away (--bring-back bot:agent)" in left
    said, code = at_terminal(folder, "y", "facts", "load", "facts.yaml", "--bring-back", "bot:agent")
    assert (code, "give bot the role agent" in said) == (0, True)
    assert json.loads(run(folder, "users", "--json"))[0]["roles"] == ["agent", "owner"]
    assert "role assignments: 3" in run(folder, "facts", "show")
    (folder / "exported.yaml").write_text(run(folder, "facts", "export"))
    assert "has all of it already" in run(folder, "facts", "load", "exported.yaml")
    assert "no role 'nonsense'" in run(folder, "grant", "bot", "nonsense", code=2)


def test_only_whom_the_policy_names_decides(folder: Path) -> None:
    policy = folder / "policy.yaml"
    policy.write_text(FILES["policy.yaml"].replace("operators: [me]", "operators: []"))
    assert "names no operators" in run(folder, "requests", "list", code=2)
    policy.write_text(FILES["policy.yaml"].replace("operators: [me]", "operators: [bot, me]"))
    assert "say which operator" in run(folder, "requests", "list", code=2)
    assert "none of the policy's operators" in run(folder, "requests", "list", "--operator", "eve", code=2)
    assert "There are no requests." in run(folder, "requests", "list", "--operator", "bot")
    policy.write_text(FILES["policy.yaml"].replace("operators: [me]", "operators: [ghost]"))
    assert "no user of the directory" in run(folder, "requests", "list", code=2)
    assert run(folder, "--version").startswith("permit-mcp ")

"""``permit-mcp accounts``, with a person who types at a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from permit_core.accounts.accounts import Account, Accounts
from permit_core.errors import Forbidden
from permit_core.ports.record import RecordFilter
from permit_mcp import terminal
from permit_mcp.command_line import app
from tests.support.core import POLICIES, SYSTEM, make_core

RUNNER = CliRunner()
PASSWORD = "henry_password"


class Person:
    """Somebody at a terminal, who answers each question with the next of the lines."""

    def __init__(self, *lines: str) -> None:
        self.master, self._slave = pty.openpty()
        self.name = os.ttyname(self._slave)
        self.seen = ""
        self._lines = list(lines)
        self._thread = threading.Thread(target=self._type, daemon=True)
        self._thread.start()

    def _type(self) -> None:
        for line in self._lines:
            while not self.seen.endswith((": ", "] ")):
                self.seen += os.read(self.master, 1000).decode()
            self.seen += "\n"
            os.write(self.master, f"{line}\n".encode())

    def leave(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive(), "not everything was asked"
        os.set_blocking(self.master, False)
        with contextlib.suppress(BlockingIOError):
            self.seen += os.read(self.master, 10_000).decode()
        os.close(self._slave)
        os.close(self.master)


# The commands bring an event loop of their own, so no test here is asynchronous itself.


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with the family, and a policy that names an operator, as the environment says."""

    async def make() -> None:
        await (await make_core(tmp_path)).close()

    asyncio.run(make())
    policy = (POLICIES / "family_food.yaml").read_text(encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(with_operators(policy, '["1"]'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'family.db'}")
    monkeypatch.setenv("POLICY_FILE", str(tmp_path / "policy.yaml"))
    monkeypatch.setattr(terminal, "TERMINAL", str(tmp_path / "no terminal"))
    return tmp_path


def with_operators(policy: str, operators: str) -> str:
    first, rest = policy.split("version:", 1)
    line, rest = rest.split("\n", 1)
    return f"{first}version:{line}\noperators: {operators}\n{rest}"


def run(monkeypatch: pytest.MonkeyPatch, command: list[str], *lines: str) -> tuple[int, str, str]:
    """Run a command while a person types these lines: exit code, output, and what the terminal showed."""
    person = Person(*lines)
    monkeypatch.setattr(terminal, "TERMINAL", person.name)
    result = RUNNER.invoke(app, ["accounts", *command])
    person.leave()
    return result.exit_code, result.output, person.seen


def stored(place: Path) -> list[Account]:
    async def look() -> list[Account]:
        core = await make_core(place)
        try:
            return await Accounts(core.database, core.audit).list_all("default")
        finally:
            await core.close()

    return asyncio.run(look())


def opens(place: Path, password: str) -> bool:
    async def try_it() -> bool:
        core = await make_core(place)
        try:
            await Accounts(core.database, core.audit).log_in("default", "henry", password)
        except Forbidden:
            return False
        finally:
            await core.close()
        return True

    return asyncio.run(try_it())


def audited(place: Path) -> list[tuple[str, str, str]]:
    async def look() -> list[tuple[str, str, str]]:
        core = await make_core(place)
        try:
            records = await core.audit.records("default", RecordFilter(event="account"))
            return [(record.event, record.user, record.session) for record in records]
        finally:
            await core.close()

    return asyncio.run(look())


def test_an_account_from_its_first_password_to_its_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output, shown = run(monkeypatch, ["add", "henry", "--user", "3"], PASSWORD, PASSWORD)
    assert (code, output) == (0, "henry may log in as user 3\n")
    assert PASSWORD not in shown
    assert opens(place, PASSWORD)
    code, output, shown = run(monkeypatch, ["password", "henry"], "another_password", "another_password")
    assert code == 0, output
    assert "another_password" not in shown
    assert (opens(place, PASSWORD), opens(place, "another_password")) == (False, True)
    code, output, shown = run(monkeypatch, ["close", "henry"], "n")
    assert (code, output) == (1, "nothing was changed\n")
    assert "Close the account henry?" in shown
    code, output, _ = run(monkeypatch, ["close", "henry"], "y")
    assert (code, output) == (0, "henry is closed\n")
    assert not opens(place, "another_password")
    assert audited(place) == [
        (event, "1", "terminal") for event in ("account.added", "account.password_changed", "account.closed")
    ]


def test_two_passwords_that_differ_change_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output, _ = run(monkeypatch, ["add", "henry", "--user", "3"], PASSWORD, "another_password")
    assert code == 2
    assert "differ" in output
    assert stored(place) == []


@pytest.mark.parametrize(
    ("command", "lines", "said"),
    [
        (["add", "henry", "--user", "9"], [PASSWORD, PASSWORD], "no such user"),
        (["add", "henry", "--user", "3"], ["short", "short"], "8 characters"),
        (["password", "nobody"], [PASSWORD, PASSWORD], "no such account"),
        (["close", "nobody"], ["y"], "no such account"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_a_next_step(
    place: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], lines: list[str], said: str
) -> None:
    code, output, _ = run(monkeypatch, command, *lines)
    assert code == 2
    assert said in output
    assert "Traceback" not in output
    assert stored(place) == []


@pytest.mark.parametrize("command", [["add", "henry", "--user", "3"], ["password", "henry"], ["close", "henry"]])
def test_without_a_terminal_nothing_answers_for_the_person(place: Path, command: list[str]) -> None:
    result = RUNNER.invoke(app, ["accounts", *command], input=f"{PASSWORD}\n{PASSWORD}\ny\n")
    assert result.exit_code == 2
    assert "no option answers for the person" in result.output


@pytest.mark.parametrize(
    ("operators", "option", "said"),
    [
        ("[]", [], "names no operators"),
        ('["1", "2"]', [], "--operator 1 or 2"),
        ('["1"]', ["--operator", "3"], "none of the policy's operators"),
        ('["nobody"]', [], "no user of the directory"),
    ],
)
def test_who_is_no_operator_changes_nothing(place: Path, operators: str, option: list[str], said: str) -> None:
    policy = (POLICIES / "family_food.yaml").read_text(encoding="utf-8")
    (place / "policy.yaml").write_text(with_operators(policy, operators), encoding="utf-8")
    result = RUNNER.invoke(app, ["accounts", "add", "henry", "--user", "3", *option])
    assert result.exit_code == 2
    assert said in result.output


def test_accounts_are_listed_for_people_and_for_programs(place: Path) -> None:
    assert "there are no accounts yet" in RUNNER.invoke(app, ["accounts", "list"]).output

    async def add() -> None:
        core = await make_core(place)
        accounts = Accounts(core.database, core.audit)
        await accounts.add(SYSTEM, "henry", "3", PASSWORD)
        await accounts.close(SYSTEM, "henry")
        await core.close()

    asyncio.run(add())
    listed = RUNNER.invoke(app, ["accounts", "list"]).output.splitlines()
    assert listed[0].split() == ["login", "user", "state", "created", "password_changed"]
    assert listed[1].split()[:3] == ["henry", "3", "closed"]
    (row,) = json.loads(RUNNER.invoke(app, ["accounts", "list", "--json"]).output)
    assert (row["login"], row["user"], row["state"]) == ("henry", "3", "closed")
    assert "$2b$" not in str(row)

"""``permit-mcp requests``, with a person who types at a terminal of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from permit_core.approvals.calls import Outcome
from permit_core.clock import utc_now
from permit_core.errors import ConfigurationError, Forbidden
from permit_core.ports.request import Request
from permit_core.settings import Settings
from permit_mcp import terminal
from permit_mcp.command_line import app
from permit_mcp.core_source import open_filled_core
from permit_mcp.operating import end_of
from permit_mcp.request_commands import _waiting
from tests.permit_mcp.test_account_commands import Person
from tests.support.guarded import FACTS, POLICY, Files

T = TypeVar("T")
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    policy = POLICY.replace("name: Files\n", "name: Files\noperators: [bob, ann]\n", 1)
    for name, text in (("policy", policy), ("facts", FACTS)):
        (files / f"{name}.yaml").write_text(text)
        monkeypatch.setenv(f"{name.upper()}_FILE", str(files / f"{name}.yaml"))
    return files


def do(work: Callable[[Files], Awaitable[T]]) -> T:
    """Do something in a server's place, in a core of its own."""

    async def whole() -> T:
        core = await open_filled_core(Settings.load())
        try:
            return await work(Files(core, utc_now))  # type: ignore[arg-type]
        finally:
            await core.close()

    return asyncio.run(whole())


def held(tool: str = "shred_file", **arguments: Any) -> Request:
    async def hold(files: Files) -> Request:
        return await files.held(await files.call(tool, **arguments))

    return do(hold)


def may_run(tool: str = "shred_file", **arguments: Any) -> bool:
    """Whether the call is let through now; what it claims is settled as made."""

    async def claim(files: Files) -> bool:
        try:
            claimed = await files.claim(await files.call(tool, **arguments))
        except Forbidden:
            return False
        await files.core.approvals.settle(files.ann, claimed, Outcome.ANSWERED)
        return bool(claimed)

    return do(claim)


def requests(*arguments: str, who: str = "bob") -> Result:
    return CliRunner().invoke(app, ["requests", *arguments, "--operator", who], catch_exceptions=False)


def answered(monkeypatch: pytest.MonkeyPatch, answer: str, *arguments: str, who: str = "bob") -> tuple[Result, str]:
    """What a command that asks once says, and what stood at the terminal."""
    person = Person(answer)
    monkeypatch.setattr(terminal, "TERMINAL", person.name)
    result = requests(*arguments, who=who)
    person.leave()
    return result, person.seen.replace("\r", "")


def test_a_standing_yes_is_shown_whole_given_listed_and_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = held(name="a")
    shape = '{"name": {"values": ["a", "b\\u200b", "b"]}}'
    no, seen = answered(monkeypatch, "", "approve", request.id, "--standing", shape, "--for", "2h")
    assert (no.exit_code, "Nothing was done" in no.output) == (1, True)
    assert "every call of shred_file by Ann through the agent claude in which" in seen
    assert r'    name: "a" or "b\u200b" or "b"' in seen.splitlines()
    assert not may_run(name="a")
    yes, _ = answered(
        monkeypatch, "y", "approve", request.id, "--standing", shape, "--for", "2h", "--comment", "Tidy up"
    )
    assert (yes.exit_code, "is approved, and such calls are until" in yes.output) == (0, True)
    assert may_run(name="a")
    assert may_run(name="b")
    assert not may_run(name="c")
    (listed,) = json.loads(requests("standing", "list", "--json").stdout)
    assert (listed["tool"], listed["user"], listed["agent"], listed["given_by"]) == (
        "shred_file", "ann", "claude", "bob",
    )  # fmt: skip
    until = datetime.fromisoformat(listed["until"])
    assert timedelta(minutes=119) < until - utc_now() <= timedelta(hours=2)
    for who in ("bob", "ann"):
        assert listed["id"] in requests("standing", "list", who=who).stdout
    ended, seen = answered(monkeypatch, "y", "standing", "end", listed["id"])
    assert (ended.exit_code, "It is ended" in ended.output) == (0, True)
    assert 'given by Bob: "Tidy up"' in seen
    assert not may_run(name="b")
    assert "No standing yes serves now." in requests("standing", "list").stdout
    assert "It was over already" in requests("standing", "end", listed["id"]).output
    assert "no_such_standing" in requests("standing", "end", "yes_1").output


def test_what_the_shape_does_not_name_is_as_in_the_call_that_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = held("delete_file", name="a", force=False)
    _, seen = answered(
        monkeypatch, "n", "approve", request.id, "--standing", '{"name": {"values": ["a", "b"]}}', "--until", "23:59"
    )
    assert '    force: false\n    name: "a" or "b"\n' in seen


def test_its_own_human_gives_a_standing_yes_where_the_policy_says_self(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = held("send_file", name="a")
    assert "no_such_request" in requests("approve", request.id, "--standing", "{}", "--for", "1h").output
    by_ann, _ = answered(monkeypatch, "y", "approve", request.id, "--standing", "{}", "--for", "7d", who="ann")
    assert by_ann.exit_code == 0
    assert may_run("send_file", name="a")
    assert may_run("send_file", name="a")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--standing", "{}"], "say how long"),
        (["--standing", "{}", "--for", "1h", "--until", "23:59"], "say the same thing"),
        (["--standing", "{}", "--for", "soon"], "is no length of time"),
        (["--standing", "name", "--for", "1h"], "is no JSON object"),
        (["--standing", '{"name": {"value": "b"}}', "--for", "1h"], "does not cover the call"),
        (["--standing", '{"name": {"like": "*"}}', "--for", "1h"], "value, values, or from and to"),
        (["--standing", '{"more": {"value": 1}}', "--for", "1h"], "does not cover the call"),
    ],
)
def test_a_standing_yes_that_cannot_be_is_refused_before_anybody_is_asked(
    folder: Path, options: list[str], says: str
) -> None:
    refused = requests("approve", held(name="a").id, *options)
    assert (refused.exit_code, says in refused.output) == (2, True)
    assert requests("approve", held(name="a").id, "--for", "1h").exit_code == 2


def test_more_than_seven_days_and_a_secret_get_no_standing_yes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = held(name="a")
    late, _ = answered(monkeypatch, "y", "approve", request.id, "--standing", "{}", "--for", "8 days")
    assert (late.exit_code, "within 7 days" in late.output) == (2, True)
    secret = held(name="Bearer abcdefgh")
    refused = requests("approve", secret.id, "--standing", "{}", "--for", "1h")
    assert (refused.exit_code, "A secret is in 'name'" in refused.output) == (2, True)


def test_arguments_of_any_length_are_shown_and_nothing_is_hidden_or_cut_silently(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a" * 450 + "\u200b\u3164\x1b[31m" + "b" * 5_000 + "the end"
    request = held(name=name)
    _, seen = answered(monkeypatch, "", "approve", request.id)
    assert r"a\u200b\u3164\u001b[31mb" in seen
    assert re.search(r"\.\.\. and 1\d{3} more characters \(requests show ID --full has them\)", seen)
    assert "the end" not in seen
    assert "the end" not in requests("show", request.id).stdout
    assert 'the end"' in requests("show", request.id, "--full").stdout
    assert json.loads(requests("show", request.id, "--json").stdout)["call"]["arguments"] == {
        "name": name.replace("\u200b", r"\u200b").replace("\u3164", r"\u3164").replace("\x1b", r"\u001b")
    }
    (folder / "state" / "held-calls.key").unlink()
    assert "shortened there" in requests("show", request.id, "--full").stdout
    assert "shortened there" in requests("show", request.id).stdout


def test_what_became_of_an_unknown_call_is_put_on_record_after_a_yes_at_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(files: Files) -> Request:
        request = await files.approved(await files.call("shred_file", name="a"))
        claimed = await files.claim(await files.call("shred_file", name="a"))
        await files.core.approvals.settle(files.ann, claimed, Outcome.LOST)
        return request

    lost = do(lose)
    no, seen = answered(monkeypatch, "n", "settle", lost.id, "--did-not-happen")
    assert (no.exit_code, "Record that this call was not made? [y/N]" in seen) == (1, True)
    settled, seen = answered(monkeypatch, "y", "settle", lost.id, "--happened", "--comment", "It is gone")
    assert (settled.exit_code, "is used" in settled.output) == (0, True)
    assert 'name = "a"' in seen
    again, _ = answered(monkeypatch, "y", "settle", lost.id, "--did-not-happen")
    assert (again.exit_code, "already_decided" in again.output) == (2, True)


def test_watch_asks_the_human_about_calls_that_they_confirm_themselves_and_not_about_their_other_requests(
    folder: Path,
) -> None:
    own, others = held("send_file", name="a"), held(name="b")

    async def asked(files: Files) -> list[list[str]]:
        people = (files.in_person, files.bob)
        return [[request.id for request in await _waiting(files.core, who)] for who in people]

    assert do(asked) == [[own.id], [others.id]]


def test_cancel_withdraws_ones_own_and_takes_back_a_yes_after_a_yes_at_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = held(name="a")
    no, _ = answered(monkeypatch, "n", "cancel", request.id, who="ann")
    assert (no.exit_code, "Nothing was done" in no.output) == (1, True)
    withdrawn, seen = answered(monkeypatch, "y", "cancel", request.id, who="ann")
    assert (withdrawn.exit_code, "is cancelled" in withdrawn.output) == (0, True)
    assert "Cancel it? [y/N]" in seen
    others = held(name="a")
    refused, _ = answered(monkeypatch, "y", "cancel", others.id)
    assert (refused.exit_code, "no_such_request" in refused.output) == (2, True)
    answered(monkeypatch, "y", "approve", others.id)
    voided, _ = answered(monkeypatch, "y", "cancel", others.id, "--comment", "I thought again")
    assert (voided.exit_code, "is voided" in voided.output) == (0, True)
    assert not may_run(name="a")
    assert "no_such_request" in requests("cancel", "req_" + "0" * 32).output
    assert "invalid_id" in requests("cancel", "req_1").output


@pytest.mark.parametrize(
    ("until", "length", "expected"),
    [
        ("17:00", None, NOON.replace(hour=15)),
        ("13:59", None, NOON.replace(day=2, hour=11, minute=59)),
        ("2026-12-01 17:00", None, datetime(2026, 12, 1, 16, tzinfo=UTC)),
        ("2026-12-01T17:00+00:00", None, datetime(2026, 12, 1, 17, tzinfo=UTC)),
        (None, "90 minutes", NOON + timedelta(minutes=90)),
        (None, "7d", NOON + timedelta(days=7)),
        (None, "1 second", NOON + timedelta(seconds=1)),
        (None, None, None),
    ],
)
def test_an_end_is_a_time_of_this_machine_or_a_length(
    zone: None, until: str | None, length: str | None, expected: datetime | None
) -> None:
    assert end_of(until, length, NOON) == expected


@pytest.mark.parametrize(
    ("until", "length"),
    [("noon", None), ("25:00", None), ("2026-04-30", None), ("", None), (None, "0 days"), (None, "7 weeks"), (None, "1sd"),
     (None, "")],
)  # fmt: skip
def test_what_is_no_end_is_named(zone: None, until: str | None, length: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"--until|--for"):
        end_of(until, length, NOON)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine in Berlin."""
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()

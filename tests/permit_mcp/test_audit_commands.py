"""``permit-mcp audit``."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from permit_core.entries import User
from permit_core.identity import Actor, unknown_actor
from permit_core.ports.record import AuditEvent
from permit_mcp.audit_commands import app
from tests.support.clock import SteadyClock
from tests.support.core import make_core
from tests.support.family import meet
from tests.support.processes import output_of, start_python

RUNNER = CliRunner()


HENRY = Actor("default", "default", "3", "Henry", agent="assistant", session="s1")
ALICE = Actor("default", "default", "1")


async def write_three(folder: Path) -> None:
    core = await make_core(folder, clock=SteadyClock(), facts=False)
    await core.audit.note(
        AuditEvent("login.succeeded", HENRY),
        AuditEvent("tool.call", HENRY, {"reason": "please\x1b[2J\u202e \ud800", "tool": "pay", "outcome": "ok"}),
        AuditEvent("login.failed", unknown_actor("default")),
    )
    await core.close()


async def spoil(folder: Path, statement: str) -> None:
    core = await make_core(folder, facts=False)
    async with core.database.transaction() as transaction:
        for name in ("audit_records_keep", "audit_records_stay", "audit_checkpoints_stay"):
            await transaction.execute(text(f"DROP TRIGGER {name}"))
        await transaction.execute(text(statement))
    await core.close()


# The commands bring an event loop of their own, so no test here is asynchronous itself.


@pytest.fixture
def database_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with three records, named by the environment as an operator would."""
    asyncio.run(write_three(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'family.db'}")
    return tmp_path / "family.db"


def test_an_untouched_log_is_intact(database_file: Path) -> None:
    result = RUNNER.invoke(app, ["verify"])
    assert result.exit_code == 0
    assert re.fullmatch(
        r"signed: up to record 3, by [0-9a-f]{16}…\nintact: 3 records, head [0-9a-f]{64}\n", result.output
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit_records SET user_key = '1' WHERE seq = 2", "record 2: changed: "),
        ("DELETE FROM audit_records WHERE seq = 2", "record 2: missing: "),
        ("DELETE FROM audit_records WHERE seq = 3", "record 3: cut_off: "),
    ],
)
def test_a_damaged_log_is_an_error_that_names_the_record(database_file: Path, statement: str, said: str) -> None:
    asyncio.run(spoil(database_file.parent, statement))
    result = RUNNER.invoke(app, ["verify"])
    assert result.exit_code == 1
    assert result.output.startswith(said)
    assert "DAMAGED: " in result.output


def test_tail_prints_the_last_records_as_plain_lines(database_file: Path) -> None:
    result = RUNNER.invoke(app, ["tail", "-n", "2"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "2 2026-11-22T12:00:00.000Z tool.call 3@default through assistant: pay {} -> ok"
    assert lines[1] == "3 2026-11-22T12:00:00.000Z login.failed unknown:"
    assert len(lines) == 2
    assert not {"\x1b", "\u202e", "\ud800"} & set(result.output)


def test_tail_picks_a_family_of_events(database_file: Path) -> None:
    result = RUNNER.invoke(app, ["tail", "--event", "login"])
    assert [line.split()[2] for line in result.output.splitlines()] == ["login.succeeded", "login.failed"]


PLACE_ORDER = """
    from permit_core.audit.log import AuditLog
    from permit_core.database import Database
    from permit_core.identity import Actor
    from permit_core.ports.record import AuditEvent
    database = Database.open(sys.argv[1])
    actor = Actor("default", "default", "3")
    await AuditLog(database).note(AuditEvent("tool.call", actor), AuditEvent("order.placed", actor))
    await database.close()
"""


def test_tail_follows_what_happens_until_its_time_is_over(database_file: Path) -> None:
    command = "from permit_mcp.audit_commands import app; app()"
    arguments = ["tail", "-n", "1", "--follow", "--event", "order", "--for", "60"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        output_of(start_python(PLACE_ORDER, f"sqlite+aiosqlite:///{database_file}"))
        assert process.stdout
        assert process.stdout.readline().split()[2] == "order.placed"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()
    ended = RUNNER.invoke(app, ["tail", "-n", "0", "--follow", "--for", "0.2"])
    assert (ended.exit_code, ended.output) == (0, "")


def test_no_database_is_one_sentence_and_another_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'none.db'}")
    for command in ("verify", "tail"):
        result = RUNNER.invoke(app, [command])
        assert result.exit_code == 2
        assert result.stderr.startswith("error: there is no database")
    assert not (tmp_path / "none.db").exists()


async def tell_a_story(folder: Path) -> str:
    """Henry asks to order a dear dish, Joe allows it, Henry uses it; the request's id."""
    url = f"sqlite+aiosqlite:///{folder / 'family.db'}"  # not a copy of one that another account has signed
    core = await make_core(folder, database_url=url, clock=SteadyClock())
    family = await meet(core, SteadyClock())
    request = await family.approved()
    await family.use()
    await core.close()
    return request.id


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "keys"))
    request = asyncio.run(tell_a_story(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'family.db'}")
    return request


def lines(*arguments: str) -> list[str]:
    result = RUNNER.invoke(app, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_a_request_is_told_as_one_story_with_names_beside_ids(story: str) -> None:
    told = [line for line in lines("show", story) if not line.startswith("    ")]
    assert [line.split(" ", 1)[1].partition(":")[0] for line in told] == [
        "Henry (3)@default asked for operation order on dishes",
        "Joe (1)@default allowed operation order on dishes",
        "Henry (3)@default used up operation order on dishes",
    ]
    assert '"It is my birthday"' in told[0]
    number = lines("tail", "-n", "1")[0].split()[0]
    assert lines("show", number) == lines("show", story)
    assert [json.loads(line)["request"] for line in lines("export", "--request", story)] == [story] * 3
    assert [record["event"] for record in json.loads("".join(lines("show", story, "--json")))] == [
        "request.created",
        "request.approved",
        "request.used",
    ]


def test_records_are_picked_by_person_event_request_agent_and_time(story: str) -> None:
    assert {line.split()[2] for line in lines("tail", "--user", "Joe", "--event", "request")} == {"request.approved"}
    assert lines("tail", "--user", "Joe") == lines("tail", "--user", "1")
    assert lines("tail", "--user", "joe") == lines("tail", "--user", "1")
    assert lines("tail", "--agent", "assistant") == []
    assert len(lines("tail", "--request", story, "--since", "2026-11-22", "--until", "2026-11-22T12:00:01Z")) == 3
    assert lines("tail", "--request", story, "--until", "2026-11-22T12:00") == []
    assert lines("tail", "--request", story, "--since", "2026-11-23T00:00+02:00") == []
    assert len(lines("tail", "--request", story, "--since", "9999d")) == 3
    assert [json.loads(line)["user"] for line in lines("tail", "--json", "--request", story)] == ["3", "1", "3"]
    assert lines("tail", "--environment", "another") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tail", "--since", "yesterday"], "--since: 'yesterday' is no time"),
        (["tail", "--user", "Twin"], "is the name of 8, 9: give a key"),
        (["tail", "--user", "Henri"], "--user: no user and no record of Henri: there are Henry, "),
        (["show", "77777"], "the log has no record 77777"),
        (["show", "req_none"], "no record belongs to req_none"),
        (["verify", "--since", "head"], "HEAD is a hash"),
        (["verify", "--public-key", "none.pub"], "cannot be read"),
        (["verify", "--anchor", "none.jsonl"], "cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(story: str, arguments: list[str], said: str, tmp_path: Path) -> None:
    async def twins() -> None:
        core = await make_core(tmp_path)
        for key in ("8", "9"):
            await core.directory.put_user(core.system, User(key, "Twin", "", ""))
        await core.close()

    asyncio.run(twins())
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert said in result.stderr


def test_an_export_goes_on_after_the_last_number_and_has_all_hashes(story: str) -> None:
    everything = [json.loads(line) for line in lines("export")]
    assert [record["seq"] for record in everything] == list(range(1, len(everything) + 1))
    assert [record["previous_hash"] for record in everything[1:]] == [record["hash"] for record in everything[:-1]]
    assert [json.loads(line) for line in lines("export", "--after", str(len(everything) - 2))] == everything[-2:]


def test_verification_compares_with_requests_and_roles_and_takes_keys_and_files_from_elsewhere(
    story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = tmp_path / "elsewhere.jsonl"
    monkeypatch.setenv("AUDIT_ANCHOR_FILE", str(anchor))
    assert "is not there, so nothing was held against it" in lines("verify")[0]
    first = lines("key", "show")[1]
    (tmp_path / "first.pub").write_text(first)
    second = lines("key", "rotate")[0].split()[-1]
    (tmp_path / "second.pub").write_text(second)
    report = json.loads("".join(lines("verify", "--public-key", "first.pub", "--json")))
    assert (report["ok"], report["trusted"]) == (True, [first, second])
    alone = RUNNER.invoke(app, ["verify", "--public-key", "second.pub"])
    assert (alone.exit_code, "forged: the checkpoint of record" in alone.output) == (1, True)
    assert lines("verify", "--public-key", "first.pub", "--public-key", "second.pub")[-1].startswith("intact: ")
    asyncio.run(spoil(tmp_path, "UPDATE requests SET decided_by = '2'"))
    anchor.write_text(anchor.read_text() + "torn {\n")
    result = RUNNER.invoke(app, ["verify"])
    assert result.exit_code == 1
    assert f"disagrees: request {story}: decided_by is '2' in the database" in result.output
    assert "holds no checkpoint" in result.output


def test_a_key_is_shown_rotated_and_replaced_where_it_is_lost(
    story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "other"))
    assert lines("key", "show") == [f"{tmp_path / 'other' / 'audit-signing-key.pem'}: not there"]
    assert "the key is not known here" in "".join(lines("verify"))
    lines("key", "rotate")
    shown = json.loads("".join(lines("key", "show", "--json")))
    assert (shown["present"], len(shown["public_keys"])) == (True, 2)
    refused = RUNNER.invoke(app, ["key", "replace"])
    assert (refused.exit_code, "rotate it instead" in refused.stderr) == (2, True)
    Path(shown["file"]).unlink()
    assert RUNNER.invoke(app, ["key", "rotate"]).exit_code == 2
    (said,) = lines("key", "replace")
    assert lines("key", "show")[-1] == said.split()[-1]


def test_text_that_somebody_wrote_cannot_write_on_the_terminal(database_file: Path) -> None:
    for arguments in (["tail"], ["show", "2"], ["export"], ["verify"]):
        output = RUNNER.invoke(app, arguments).output
        assert not {"\x1b", "\u202e", "\ud800"} & set(output)

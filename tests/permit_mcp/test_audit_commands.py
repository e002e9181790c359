"""``permit-mcp audit``."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from permit_core.identity import Actor, unknown_actor
from permit_core.ports.record import AuditEvent
from permit_mcp.audit_commands import app
from tests.support.clock import SteadyClock
from tests.support.core import make_core
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

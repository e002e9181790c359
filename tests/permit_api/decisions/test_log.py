"""The checks that were made are kept, bounded in number, size and time, and no check waits for that."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select

from permit_api.decisions import log as module
from permit_api.decisions.log import CheckLog
from permit_api.nouns.beginning import begin
from permit_api.store.opening import open_store
from permit_api.store.session import Opened
from permit_api.store.tables import CHECKS_KEPT, checks, environments
from permit_core.access import Check, ResourceRef
from permit_core.database import Database
from permit_core.errors import StoreError
from permit_core.identity import DEFAULT_ENVIRONMENT, Actor

ALLOWED = {"allow": True, "debug": {"allow_sources": ["rbac"], "rbac": {"code": "tenant_role", "reason": ["a role"]}}}

DOCUMENT = ResourceRef("doc", "1")


class Kept:
    """A log over a database with one environment, at a time that a test sets."""

    def __init__(self, database: Database, environment_id: str) -> None:
        self.database, self.environment_id = database, environment_id
        self.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
        self.log = CheckLog(database, lambda: self.now)

    def note(self, user: str = "ann", resource: ResourceRef = DOCUMENT, **brought: Any) -> None:
        """A check is answered."""
        named = {"user_attributes": {}, "resource_attributes": {}, "context": {}, **brought}
        check = Check(Actor(DEFAULT_ENVIRONMENT, "default", user), "read", resource, **named)
        self.log.note(self.environment_id, check, ALLOWED)
        self.now += timedelta(milliseconds=1)

    async def rows(self) -> list[dict[str, Any]]:
        """What is kept, the oldest first; not what waits."""
        found = await self.database.read(
            lambda connection: connection.execute(select(checks).order_by(checks.c.at)).mappings().all()
        )
        return [{**row, "input": json.loads(row["input"]), "result": json.loads(row["result"])} for row in found]


@pytest.fixture
async def kept(database_url: str) -> AsyncIterator[Kept]:
    database = Database.open(database_url)
    await open_store(database)

    def begun(connection: Connection) -> str:
        begin(Opened(connection, datetime(2026, 11, 1, tzinfo=UTC)))
        return str(connection.execute(select(environments.c.id)).scalars().first())

    made = Kept(database, await database.write(begun))
    yield made
    await made.log.close()
    await database.close()


async def test_a_check_is_kept_with_what_was_asked_and_answered_and_without_secrets(kept: Kept) -> None:
    kept.note(user_attributes={"age": 20, "password": "letmein"}, context={"ip": "10.0.0.1"})
    kept.note("bob", ResourceRef("doc"))
    assert await kept.rows() == []  # whoever asked was answered before anything was written
    await kept.log.flush()
    first, second = await kept.rows()
    assert first["input"] == {
        "user": {"key": "ann", "attributes": {"age": 20, "password": "[redacted]"}},
        "action": "read",
        "resource": {"type": "doc", "tenant": "default", "key": "1"},
        "context": {"ip": "10.0.0.1"},
    }
    assert (first["allowed"], first["result"]) == (True, ALLOWED)
    assert (second["user_key"], second["resource_type"], second["resource_key"]) == ("bob", "doc", None)


async def test_what_waits_is_written_when_the_log_is_closed(kept: Kept) -> None:
    kept.note()
    await kept.log.close()
    assert len(await kept.rows()) == 1


async def test_a_name_that_cannot_be_seen_is_not_taken_for_another(kept: Kept) -> None:
    kept.note("an\0n")
    kept.note("ann\u200b")
    kept.note("a\ud800")
    await kept.log.flush()
    assert [row["user_key"] for row in await kept.rows()] == [r"'an\x00n'", r"'ann\u200b'", r"'a\ud800'"]


async def test_a_token_in_a_name_is_masked(kept: Kept) -> None:
    kept.note("ghp_" + "a" * 36)
    await kept.log.flush()
    (row,) = await kept.rows()
    assert row["user_key"] == row["input"]["user"]["key"] == "[redacted]"


async def test_of_a_long_question_the_names_are_kept(kept: Kept) -> None:
    kept.note(context={f"name{number}": "x" * 400 for number in range(40)})
    await kept.log.flush()
    (row,) = await kept.rows()
    assert (row["user_key"], row["input"]["left_out"]) == ("ann", "attributes and context")
    assert len(str(row["input"])) < 300


async def test_checks_older_than_thirty_days_are_taken_away(kept: Kept) -> None:
    kept.note("old")
    await kept.log.flush()
    kept.now += CHECKS_KEPT
    again = CheckLog(kept.database, lambda: kept.now)  # as after another start
    kept.log, before = again, kept.log
    kept.note("new")
    await again.flush()
    await before.close()
    assert [row["user_key"] for row in await kept.rows()] == ["new"]


async def test_of_one_environment_only_the_newest_are_kept(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    monkeypatch.setattr(module, "CLEARED_EVERY", 3)
    monkeypatch.setattr(module, "GROUP", 2)
    for number in range(12):
        kept.note(f"u{number}")
    await kept.log.flush()
    found = [row["user_key"] for row in await kept.rows()]
    assert found[-1] == "u11"
    assert len(found) <= 5 + 3


async def test_more_than_can_wait_is_left_out_and_said(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    for number in range(5):
        kept.note(f"u{number}")
    with caplog.at_level(logging.WARNING):
        await kept.log.flush()
    assert [row["user_key"] for row in await kept.rows()] == ["u0", "u1", "u2"]
    assert "2 checks were answered and not kept" in caplog.text
    kept.note("later")
    await kept.log.flush()
    assert len(await kept.rows()) == 4


async def test_what_cannot_be_written_now_waits_and_is_written_once(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = kept.database.write

    async def away(*_arguments: Any, **_named: Any) -> None:
        raise StoreError("the database is away")

    kept.note("ann")
    monkeypatch.setattr(kept.database, "write", away)
    with pytest.raises(StoreError):
        await kept.log.flush()
    kept.note("bob")
    monkeypatch.setattr(kept.database, "write", write)
    await kept.log.flush()
    await kept.log.flush()
    assert [row["user_key"] for row in await kept.rows()] == ["ann", "bob"]


async def test_checks_of_an_environment_that_is_gone_hold_up_no_others(kept: Kept) -> None:
    here, kept.environment_id = kept.environment_id, "nowhere"
    kept.note("ann")
    kept.environment_id = here
    kept.note("bob")
    await kept.log.flush()
    assert [row["user_key"] for row in await kept.rows()] == ["bob"]

    def gone(connection: Connection) -> int:
        connection.execute(delete(environments).where(environments.c.id == here))
        return int(connection.execute(select(func.count()).select_from(checks)).scalar_one())

    assert await kept.database.write(gone) == 0

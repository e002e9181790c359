"""Hooks: each committed record, in order; what a hook does harms nobody but itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from permit_core.audit import hooks
from permit_core.audit.hooks import load_hook
from permit_core.audit.log import AuditLog
from permit_core.database import Database
from permit_core.errors import ConfigurationError
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent, AuditRecord
from tests.support.chat_server import until

HENRY = Actor("default", "home", "3")


def call(number: int, environment: str = "default") -> AuditEvent:
    return AuditEvent("tool.call", Actor(environment, "", "3"), {"number": number})


def seen_by_name(record: AuditRecord) -> None:
    """What a test names as ``module:function``."""


@pytest.fixture
async def log(database: Database) -> AsyncIterator[AuditLog]:
    log = AuditLog(database)
    yield log
    await log.close()


async def test_a_hook_sees_each_committed_record_in_order_whoever_wrote_it(log: AuditLog, database: Database) -> None:
    seen: list[AuditRecord] = []
    log.show_to(seen.append)
    await log.note(call(1))

    async def fail() -> None:
        async with database.transaction() as transaction:
            await log.append(transaction, call(2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction() as transaction:
        await log.append(transaction, call(3), call(4))
    await until(lambda: len(seen) == 3, "the records")
    await AuditLog(database).note(call(5))
    await log.note(call(6))
    await until(lambda: len(seen) == 5, "the records")
    assert [record.body["number"] for record in seen] == [1, 3, 4, 5, 6]
    assert seen == await log.records("default")


async def test_what_is_written_last_is_shown_before_the_log_closes(log: AuditLog) -> None:
    seen: list[AuditRecord] = []

    async def hook(record: AuditRecord) -> None:
        await asyncio.sleep(0)
        seen.append(record)

    log.show_to(hook)
    await log.note(call(1), call(2))
    await log.close()
    assert [record.seq for record in seen] == [1, 2]


async def test_a_hook_that_fails_is_given_the_same_record_again_and_others_go_on(
    log: AuditLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "SECONDS", 0.01)
    sound: list[int] = []
    tried: list[int] = []

    def fails_twice(record: AuditRecord) -> None:
        tried.append(record.seq)
        if len(tried) <= 2:
            raise ZeroDivisionError

    log.show_to(lambda record: sound.append(record.seq))
    log.show_to(fails_twice)
    await log.note(call(1), call(2))
    await until(lambda: tried == [1, 1, 1, 2], "the third try")
    assert sound == [1, 2]
    assert caplog.text.count("failed at audit record 1 of default") == 2
    assert len(await log.records("default")) == 2


async def test_a_hook_that_never_recovers_is_named_when_the_log_closes(
    log: AuditLog, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: AuditRecord) -> None:
        raise ZeroDivisionError

    log.show_to(broken)
    await log.note(call(1), call(2))
    await log.close()
    assert "has not seen the audit records of default from 1 on" in caplog.text


async def test_a_hook_that_comes_later_sees_what_is_written_from_then_on(log: AuditLog) -> None:
    first: list[int] = []
    second: list[int] = []
    log.show_to(lambda record: first.append(record.seq))
    await log.note(call(1))
    await until(lambda: first == [1], "the record")
    log.show_to(lambda record: second.append(record.seq))
    await log.note(call(2))
    await log.close()
    assert (first, second) == ([1, 2], [2])


async def test_what_was_rolled_back_is_not_waited_for_for_ever(
    log: AuditLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "MOST_ROUNDS", 0)
    log.show_to(seen_by_name)

    async def fail() -> None:
        async with database.transaction() as transaction:
            await log.append(transaction, call(2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await log._hooks._show_all() is False


def test_a_hook_is_named_as_module_and_function() -> None:
    assert load_hook(f"{__name__.removeprefix('.')}:seen_by_name").__name__ == "seen_by_name"


@pytest.mark.parametrize("reference", ["no.such.module:f", "json:no_such", "json.decoder:FLAGS", "a b"])
def test_a_hook_that_there_is_not_is_refused_at_start(reference: str) -> None:
    with pytest.raises(ConfigurationError, match="record hook"):
        load_hook(reference)

"""What a session has read holds as long as it is kept: across processes, restarts and jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permit_core.audit.log import AuditLog
from permit_core.database import Database
from permit_core.identity import Actor
from permit_core.labels import ACROSS_SERVERS, PRIVATE, UNTRUSTED, Labels, process_place
from tests.support.clock import SteadyClock

JOE = Actor("default", "default", "1", "Joe")
HENRY = Actor("default", "default", "3", "Henry")
CHAT = "chat_1"


@pytest.fixture
def audit(database: Database, clock: SteadyClock) -> AuditLog:
    return AuditLog(database, clock)


@pytest.fixture
def labels(database: Database, audit: AuditLog, clock: SteadyClock) -> Labels:
    return Labels(database, audit, clock)


async def test_a_session_that_read_nothing_holds_no_label(labels: Labels) -> None:
    assert await labels.of(JOE, CHAT) == frozenset()


async def test_a_label_is_there_for_every_process_as_soon_as_it_was_given(
    labels: Labels, database: Database, audit: AuditLog, clock: SteadyClock
) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED], "list_access_requests")
    assert await Labels(database, audit, clock).of(JOE, CHAT) == {UNTRUSTED}


async def test_labels_add_up_and_each_is_recorded_once(labels: Labels, audit: AuditLog) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED], "list_access_requests")
    await labels.taint(JOE, CHAT, [UNTRUSTED, PRIVATE, "from_the_web"], "read_mail")
    await labels.taint(JOE, CHAT, [UNTRUSTED], "list_access_requests")
    assert await labels.of(JOE, CHAT) == {UNTRUSTED, PRIVATE, "from_the_web"}
    bodies = [record.body for record in await audit.records("default") if record.event == "session.labelled"]
    assert bodies == [
        {"place": CHAT, "labels": [UNTRUSTED], "source": "list_access_requests"},
        {"place": CHAT, "labels": ["from_the_web", PRIVATE], "source": "read_mail"},
    ]


@pytest.mark.parametrize("label", ["", "Untrusted", "un trusted", "x" * 41, "a\n", "ümlaut"])
async def test_what_is_no_label_is_refused_and_nothing_is_written(labels: Labels, label: str) -> None:
    with pytest.raises(ValueError, match="no label"):
        await labels.taint(JOE, CHAT, [UNTRUSTED, label], "a test")
    assert await labels.of(JOE, CHAT) == frozenset()


@pytest.mark.parametrize(
    ("actor", "place"),
    [
        (HENRY, CHAT),
        (JOE, "chat_2"),
        (replace(JOE, agent="claude"), CHAT),
        (replace(JOE, environment="other"), CHAT),
    ],
)
async def test_another_session_does_not_hold_it(labels: Labels, actor: Actor, place: str) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    assert await labels.of(actor, place) == frozenset()


async def test_it_is_the_same_human_in_another_tenant(labels: Labels) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    assert await labels.of(replace(JOE, tenant="second"), CHAT) == {UNTRUSTED}


async def test_a_new_job_of_an_agent_clears_nothing(labels: Labels) -> None:
    agent = replace(JOE, agent="claude", session="job-1")
    await labels.taint(agent, ACROSS_SERVERS, [UNTRUSTED], "read_mail")
    assert await labels.of(replace(agent, session="job-2"), ACROSS_SERVERS) == {UNTRUSTED}


async def test_a_session_ends_half_an_hour_after_its_last_call(labels: Labels, clock: SteadyClock) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    for _ in range(4):
        clock.advance(minutes=29, seconds=59)
        assert await labels.of(JOE, CHAT) == {UNTRUSTED}, "it was called within half an hour"
    clock.advance(minutes=30)
    assert await labels.of(JOE, CHAT) == {UNTRUSTED}, "never before its time"
    clock.advance(minutes=31)
    assert await labels.of(JOE, CHAT) == frozenset()


async def test_what_is_read_again_later_is_a_label_again(labels: Labels, clock: SteadyClock) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED, PRIVATE], "a test")
    clock.advance(hours=1)
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    assert await labels.of(JOE, CHAT) == {UNTRUSTED}


@pytest.mark.parametrize("before", [False, True])
async def test_what_is_kept_is_not_ended_by_time(labels: Labels, clock: SteadyClock, before: bool) -> None:
    if before:
        await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test", kept=True)
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    clock.advance(days=1000)
    assert await labels.of(JOE, CHAT) == {UNTRUSTED}


async def test_its_human_ends_it_and_no_other_session_with_it(labels: Labels) -> None:
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test", kept=True)
    await labels.taint(JOE, "chat_2", [UNTRUSTED], "a test")
    await labels.end(JOE, CHAT)
    assert await labels.of(JOE, CHAT) == frozenset()
    assert await labels.of(JOE, "chat_2") == {UNTRUSTED}


async def test_what_is_over_is_tidied_away(labels: Labels, database: Database, clock: SteadyClock) -> None:
    for number in range(3):
        await labels.taint(JOE, f"chat_{number}", [UNTRUSTED], "a test")
    clock.advance(hours=1)
    await labels.taint(JOE, CHAT, [UNTRUSTED], "a test")
    async with database.reading() as reading:
        left = (await reading.exec_driver_sql("SELECT place FROM session_labels")).scalars().all()
    assert left == [CHAT]


def test_every_process_is_a_place_of_its_own() -> None:
    assert process_place() != process_place()

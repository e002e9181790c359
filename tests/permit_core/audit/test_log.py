"""The audit log: appending, reading, and finding what was done to it."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import pytest

from permit_core.audit.chain import GENESIS, Link, moment
from permit_core.audit.log import AuditLog
from permit_core.audit.verify import MAX_PROBLEMS, Damage
from permit_core.database import Database
from permit_core.errors import StoreError
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent, RecordFilter
from tests.support.clock import SteadyClock
from tests.support.processes import output_of, start_python
from tests.support.tampering import tamper

LENGTH = 6


@pytest.fixture
def log(database: Database, clock: SteadyClock) -> AuditLog:
    return AuditLog(database, clock)


@pytest.fixture
async def written(log: AuditLog, clock: SteadyClock) -> AuditLog:
    """A log with six records."""
    for number in range(1, LENGTH + 1):
        await log.note(AuditEvent("tool.call", Actor("default", "default", "3"), {"number": number}))
        clock.advance(seconds=1)
    return log


async def test_records_are_numbered_dated_and_bound_to_the_one_before(written: AuditLog) -> None:
    records = await written.records("default")
    assert [record.seq for record in records] == list(range(1, LENGTH + 1))
    assert records[0].at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (records[0].event, records[0].user, records[0].tenant, records[0].body) == (
        "tool.call",
        "3",
        "default",
        {"number": 1},
    )
    assert [record.previous_hash for record in records] == [GENESIS, *(record.hash for record in records[:-1])]


async def test_an_empty_log_is_intact(log: AuditLog) -> None:
    await log.note()
    report = await log.verify("default")
    assert (report.ok, report.records, report.head) == (True, 0, GENESIS)


async def test_an_untouched_log_is_intact(written: AuditLog) -> None:
    report = await written.verify("default")
    assert (report.ok, report.records) == (True, LENGTH)
    assert report.head == (await written.latest("default", limit=1))[0].hash


async def test_a_log_longer_than_a_batch_is_intact(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("permit_core.audit.log.BATCH", 4)
    await log.note(*(AuditEvent("tool.call", Actor("default", "", "3")) for _ in range(10)))
    report = await log.verify("default")
    assert (report.ok, report.records) == (True, 10)


async def test_an_event_is_remembered_only_if_what_it_tells_of_happened(database: Database, log: AuditLog) -> None:
    async def append_and_fail() -> None:
        async with database.transaction() as transaction:
            await log.append(transaction, AuditEvent("order.placed", Actor("default", "", "3")))
            assert len(await log.records("default", transaction=transaction)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await append_and_fail()
    assert await log.records("default") == []
    assert (await log.verify("default")).ok


async def test_records_are_picked_by_who_acted_for_what_and_when(log: AuditLog, clock: SteadyClock) -> None:
    began = clock()
    for number, (user, agent, session, request) in enumerate(
        [("1", None, None, ""), ("2", "bot", "s1", "req_1"), ("2", "bot", "s2", "req_1"), ("1", "bot", "s2", "req_2")]
    ):
        actor = Actor("default", "home", user, agent=agent, session=session)
        await log.note(AuditEvent("tool.call", actor, {"number": number}, request))
        clock.advance(minutes=1)

    async def found(wanted: RecordFilter) -> list[int]:
        return [record.body["number"] for record in await log.records("default", wanted)]

    assert await found(RecordFilter(user="2")) == [1, 2]
    assert await found(RecordFilter(agent="bot", user="1")) == [3]
    assert await found(RecordFilter(session="s2")) == [2, 3]
    assert await found(RecordFilter(request="req_1")) == [1, 2]
    assert await found(RecordFilter(since=began + timedelta(minutes=1), until=began + timedelta(minutes=3))) == [1, 2]
    assert await log.records("another") == []
    record = (await log.records("default"))[1].as_dict()
    assert (record["agent"], record["session"], record["request"], record["at"]) == (
        "bot", "s1", "req_1", "2026-11-22T12:01:00.000000+00:00",
    )  # fmt: skip


async def test_the_policy_in_force_stands_in_each_record(database: Database, clock: SteadyClock) -> None:
    log = AuditLog(database, clock, policy=lambda environment: f"policy of {environment}")
    await log.note(AuditEvent("tool.call", Actor("one", "", "3")))
    assert (await log.records("one"))[0].policy == "policy of one"


async def test_reading_goes_on_where_it_stopped_and_picks_events_by_family(log: AuditLog) -> None:
    names = ["tool.call", "tool", "toolbox.opened", "tool.refused", "t%", "login"]
    await log.note(*(AuditEvent(name, Actor("default", "", "3")) for name in names))
    assert [record.seq for record in await log.records("default", after_seq=2, limit=3)] == [3, 4, 5]
    assert [record.event for record in await log.records("default", RecordFilter("tool"))] == [
        "tool.call",
        "tool",
        "tool.refused",
    ]
    assert [record.event for record in await log.latest("default", RecordFilter("tool"), limit=2)] == [
        "tool",
        "tool.refused",
    ]
    assert [record.event for record in await log.latest("default", limit=2)] == ["t%", "login"]
    assert [record.seq for record in await log.latest("default", limit=2, up_to_seq=3)] == [2, 3]
    assert await log.records("default", RecordFilter("t")) == []


async def test_a_name_that_somebody_typed_never_keeps_an_event_from_being_remembered(log: AuditLog) -> None:
    typed = "x" * 5000 + "\x00\ud800\x1b[2J"
    await log.note(AuditEvent("login.failed", Actor("default", "\x00default", typed), {"name": typed}))
    record = (await log.records("default"))[0]
    assert record.user == "x" * 120
    assert record.tenant == "default"
    assert record.body == {"name": typed}
    assert (await log.verify("default")).ok


async def test_what_has_no_json_form_is_refused_and_nothing_is_written(log: AuditLog) -> None:
    with pytest.raises(TypeError):
        await log.note(
            AuditEvent("tool.call", Actor("default", "", "3")),
            AuditEvent("tool.call", Actor("default", "", "3"), {"x": object()}),
        )
    assert await log.records("default") == []


SWAP = (
    "UPDATE audit_records SET seq = 99 WHERE seq = 3",
    "UPDATE audit_records SET seq = 3 WHERE seq = 4",
    "UPDATE audit_records SET seq = 4 WHERE seq = 99",
)
OTHER_HASH = "1" * 64


@pytest.mark.parametrize(
    ("deeds", "found"),
    [
        (["UPDATE audit_records SET body = '{}' WHERE seq = 3"], [(3, Damage.CHANGED)]),
        (["UPDATE audit_records SET user_key = '1' WHERE seq = 1"], [(1, Damage.CHANGED)]),
        (["UPDATE audit_records SET tenant = 'x' WHERE seq = 6"], [(6, Damage.CHANGED)]),
        (["UPDATE audit_records SET event = 'x' WHERE seq = 2"], [(2, Damage.CHANGED)]),
        (["UPDATE audit_records SET at = '2026-11-22 11:00:00+00' WHERE seq = 2"], [(2, Damage.CHANGED)]),
        ([f"UPDATE audit_records SET previous_hash = '{OTHER_HASH}' WHERE seq = 4"], [(4, Damage.CHANGED)]),
        (["UPDATE audit_records SET hash = 'x' WHERE seq = 6"], [(6, Damage.CHANGED)]),
        (["UPDATE audit_records SET hash = 'x' WHERE seq = 3"], [(3, Damage.CHANGED)]),
        (
            ["UPDATE audit_records SET user_key = '1' WHERE seq IN (2, 5)"],
            [(2, Damage.CHANGED), (5, Damage.CHANGED)],
        ),
        (["DELETE FROM audit_records WHERE seq = 3"], [(3, Damage.MISSING)]),
        (["DELETE FROM audit_records WHERE seq = 1"], [(1, Damage.MISSING)]),
        (["DELETE FROM audit_records WHERE seq IN (3, 4)"], [(3, Damage.MISSING)]),
        (SWAP, [(3, Damage.REORDERED), (4, Damage.REORDERED)]),
        (["DELETE FROM audit_records WHERE seq = 6"], [(6, Damage.CUT_OFF)]),
        (["DELETE FROM audit_records WHERE seq >= 3"], [(3, Damage.CUT_OFF)]),
        (["DELETE FROM audit_records"], [(1, Damage.CUT_OFF)]),
        (["DELETE FROM audit_head"], [(7, Damage.CUT_OFF)]),
        (["UPDATE audit_head SET seq = 5"], [(6, Damage.ADDED)]),
        (
            [
                "UPDATE audit_records SET user_key = '1' WHERE seq = 3",
                "UPDATE audit_head SET seq = 9000000000000000000",
            ],
            [(3, Damage.CHANGED), (7, Damage.CUT_OFF)],
        ),
        (
            [
                "UPDATE audit_records SET user_key = '1' WHERE seq = 3",
                "UPDATE audit_records SET seq = 9000000000000000000 WHERE seq = 6",
            ],
            [(3, Damage.CHANGED), (6, Damage.MISSING), (9 * 10**18, Damage.REORDERED), (7, Damage.ADDED)],
        ),
        (["UPDATE audit_records SET agent = 'another' WHERE seq = 4"], [(4, Damage.CHANGED)]),
        (["UPDATE audit_records SET session = 'another' WHERE seq = 4"], [(4, Damage.CHANGED)]),
        (["UPDATE audit_records SET request = 'another' WHERE seq = 4"], [(4, Damage.CHANGED)]),
        (["UPDATE audit_records SET policy = 'another' WHERE seq = 4"], [(4, Damage.CHANGED)]),
        ([f"UPDATE audit_head SET hash = '{OTHER_HASH}'"], [(6, Damage.CHANGED)]),
        (
            ["UPDATE audit_records SET seq = 0 WHERE seq = 1"],
            [(0, Damage.ADDED), (0, Damage.REORDERED), (1, Damage.MISSING)],
        ),
        (
            [
                "DELETE FROM audit_records WHERE seq = 3",
                "UPDATE audit_records SET seq = seq - 1 WHERE seq = 4",
                "UPDATE audit_records SET seq = seq - 1 WHERE seq = 5",
                "UPDATE audit_records SET seq = seq - 1 WHERE seq = 6",
            ],
            [(3, Damage.REORDERED), (4, Damage.REORDERED), (5, Damage.REORDERED), (6, Damage.CUT_OFF)],
        ),
    ],
)
async def test_what_was_done_to_the_log_is_found_and_named(
    written: AuditLog, database: Database, deeds: list[str], found: list[tuple[int, Damage]]
) -> None:
    await tamper(database, *deeds)
    report = await written.verify("default")
    assert [(problem.seq, problem.damage) for problem in report.problems] == found
    assert all(str(problem.seq) in problem.text for problem in report.problems[:1] if (problem.seq or 0) <= LENGTH)


async def test_a_record_replaced_together_with_its_hash_is_found(written: AuditLog, database: Database) -> None:
    third = (await written.records("default", after_seq=2, limit=1))[0]
    written_by_another = ("1", third.tenant, "", "", "", "", '{"number":3}', third.previous_hash, "")
    forged = Link("default", 3, moment(third.at), third.event, *written_by_another)
    await tamper(database, f"UPDATE audit_records SET user_key = '1', hash = '{forged.digest()}' WHERE seq = 3")
    report = await written.verify("default")
    assert [(problem.seq, problem.damage) for problem in report.problems] == [(3, Damage.CHANGED)]


async def test_damage_without_end_is_reported_to_an_end(log: AuditLog, database: Database) -> None:
    await log.note(*(AuditEvent("tool.call", Actor("default", "", "3")) for _ in range(MAX_PROBLEMS + 5)))
    await tamper(database, "UPDATE audit_records SET user_key = '1'")
    assert len((await log.verify("default")).problems) == MAX_PROBLEMS


async def test_what_cannot_be_read_is_shown_as_it_is_and_named(written: AuditLog, database: Database) -> None:
    await tamper(database, "UPDATE audit_records SET body = 'torn {' WHERE seq = 2")
    if database.is_sqlite:
        await tamper(database, "UPDATE audit_records SET at = 'yesterday', body = x'00ff' WHERE seq = 3")
    records = await written.records("default")
    assert records[1].body == {"unreadable": "torn {"}
    assert {problem.seq for problem in (await written.verify("default")).problems} == (
        {2, 3} if database.is_sqlite else {2}
    )


async def test_a_log_that_lost_its_end_is_not_written_to(written: AuditLog, database: Database) -> None:
    await tamper(database, "DELETE FROM audit_head")
    with pytest.raises(StoreError, match="audit verify"):
        await written.note(AuditEvent("tool.call", Actor("default", "", "3")))


async def test_tasks_that_write_at_once_write_one_chain(log: AuditLog) -> None:
    await asyncio.gather(
        *(log.note(AuditEvent("tool.call", Actor("default", "", str(number)))) for number in range(20))
    )
    report = await log.verify("default")
    assert (report.ok, report.records) == (True, 20)


WRITE = """
    from permit_core.audit.log import AuditLog
    from permit_core.database import Database
    from permit_core.identity import Actor
    from permit_core.ports.record import AuditEvent
    database = Database.open(sys.argv[1])
    log = AuditLog(database)
    for number in range(int(sys.argv[2])):
        await log.note(AuditEvent("tool.call", Actor("default", "", "3"), {"number": number}))
        print(number, flush=True)
    await database.close()
"""


async def test_processes_that_write_at_once_write_one_chain(log: AuditLog, database_url: str) -> None:
    writers = [start_python(WRITE, database_url, "20") for _ in range(3)]
    output_of(*writers)
    report = await log.verify("default")
    assert (report.ok, report.records) == (True, 60)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=lambda sent: sent.name)
async def test_a_writer_killed_in_the_middle_leaves_a_chain_that_goes_on(
    log: AuditLog, database_url: str, end: signal.Signals
) -> None:
    writer = start_python(WRITE, database_url, "1000000")
    try:
        assert writer.stdout
        for _ in range(5):
            writer.stdout.readline()
        writer.send_signal(end)
        said = writer.communicate(timeout=30)[0].split()
    finally:
        writer.kill()
        writer.communicate()
    report = await log.verify("default")
    assert report.ok
    assert report.records >= 5 + len(said)  # everything that was acknowledged is there
    await log.note(AuditEvent("tool.call", Actor("default", "", "3")))
    assert (await log.verify("default")).records == report.records + 1

"""Group commit: the events of many calls in few transactions, in order, none lost."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from permit_core.audit import groups
from permit_core.audit.log import AuditLog
from permit_core.database import Database
from permit_core.errors import StoreError
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from tests.support.clock import SteadyClock
from tests.support.processes import output_of, start_python


def call(user: str, number: int = 0, environment: str = "default") -> AuditEvent:
    return AuditEvent("tool.call", Actor(environment, "", user), {"number": number})


@pytest.fixture
async def log(database: Database, clock: SteadyClock) -> AsyncIterator[AuditLog]:
    log = AuditLog(database, clock)
    yield log
    await log.close()


@pytest.fixture
def commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each transaction that was written through :meth:`Database.write`."""
    counted: list[int] = []
    write = database.write

    async def counting(*arguments: object, **options: object) -> object:
        counted.append(1)
        return await write(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "write", counting)
    return counted


async def test_calls_at_the_same_time_share_a_transaction_and_keep_their_order(
    log: AuditLog, commits: list[int]
) -> None:
    async def caller(user: str) -> None:
        for number in range(5):
            await log.note(call(user, number), durable=False)

    await asyncio.gather(*(caller(str(user)) for user in range(30)))
    records = await log.records("default", limit=1000)
    assert len(records) == 150
    assert len(commits) <= 10
    for user in range(30):
        assert [record.body["number"] for record in records if record.user == str(user)] == list(range(5))
    assert (await log.verify("default")).ok


async def test_environments_have_chains_of_their_own(log: AuditLog) -> None:
    await log.note(call("1", 1, "one"), call("2", 2, "two"), call("1", 3, "one"))
    assert [(record.seq, record.body["number"]) for record in await log.records("one")] == [(1, 1), (2, 3)]
    assert [(record.seq, record.body["number"]) for record in await log.records("two")] == [(1, 2)]
    assert await log.environments() == ["one", "two"]
    assert {(await log.verify(name)).ok for name in ("one", "two", "three")} == {True}


async def test_what_is_only_queued_is_committed_by_a_flush(log: AuditLog) -> None:
    groups_of = [await log.queue(call("1", number)) for number in range(3)]
    await log.flush("default")
    assert len(await log.records("default")) == 3
    for some in groups_of:
        for group in some:
            await group.committed()


async def test_closing_commits_what_is_queued(log: AuditLog) -> None:
    await log.queue(*(call("1", number) for number in range(700)))
    await log.close()
    assert [record.seq for record in await log.records("default", limit=1000)] == list(range(1, 701))


async def test_whoever_brings_more_than_there_is_room_for_waits(
    log: AuditLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MOST_WAITING", 4)
    async with database.transaction():  # nothing else is written meanwhile
        await log.queue(*(call("1", number) for number in range(4)))
        late = asyncio.ensure_future(log.queue(call("1", 4)))
        await asyncio.sleep(0)
        assert not late.done()
    await late
    await log.flush()
    assert [record.body["number"] for record in await log.records("default")] == list(range(5))


async def test_a_group_that_cannot_be_written_is_told_to_each_that_waits_and_the_next_one_goes_on(
    log: AuditLog, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "permit_core.audit.groups")
    with monkeypatch.context() as broken:

        async def fails(*_: object, **__: object) -> None:
            raise StoreError("the disk is full")

        broken.setattr(database, "write", fails)
        ended = await asyncio.gather(log.note(call("1")), log.note(call("2")), return_exceptions=True)
        assert [str(error) for error in ended] == ["the disk is full"] * 2
        (group,) = await log.queue(call("3"))
        with pytest.raises(StoreError, match="disk is full"):
            await log.flush()
        with pytest.raises(StoreError, match="disk is full"):
            await group.committed()

        async def breaks(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        broken.setattr(database, "write", breaks)
        with pytest.raises(ZeroDivisionError):
            await log.note(call("4"))
    assert caplog.text.count("could not be written") == 3
    await log.note(call("5"))
    assert [record.user for record in await log.records("default")] == ["5"]


async def test_a_call_that_is_given_up_is_remembered_all_the_same(log: AuditLog) -> None:
    noting = asyncio.ensure_future(log.note(call("1")))
    await asyncio.sleep(0)
    noting.cancel()
    await log.flush()
    assert len(await log.records("default")) == 1


async def test_what_has_no_json_form_is_the_fault_of_its_caller_alone(log: AuditLog) -> None:
    wrong = AuditEvent("tool.call", Actor("default", "", "1"), {"x": object()})
    ended = await asyncio.gather(log.note(call("1")), log.note(wrong), log.note(call("2")), return_exceptions=True)
    assert [type(error) for error in ended] == [type(None), TypeError, type(None)]
    assert [record.user for record in await log.records("default")] == ["1", "2"]


async def test_an_event_loop_that_ends_leaves_nobody_waiting(log: AuditLog, database: Database) -> None:
    async with database.transaction():
        some = [*await log.queue(call("1")), *await log.queue(*(call("2") for _ in range(groups.GROUP)))]
        commit = log._commits["default"]
        assert commit._task is not None
        await asyncio.sleep(0)
        commit._task.cancel()
        ended = await asyncio.gather(*(group.committed() for group in some), return_exceptions=True)
        assert {str(error) for error in ended} == {"the audit log was closed before it was written"}
    await log.note(call("3"))
    assert (await log.verify("default")).ok


WRITE = """
    from permit_core.audit.log import AuditLog
    from permit_core.database import Database
    from permit_core.identity import Actor
    from permit_core.ports.record import AuditEvent
    database = Database.open(sys.argv[1])
    log = AuditLog(database)

    async def caller(user):
        for number in range(int(sys.argv[2])):
            await log.note(AuditEvent("tool.call", Actor("default", "", str(user)), {"number": number}), durable=False)
            print(user, number, flush=True)

    await asyncio.gather(*(caller(user) for user in range(20)))
    await database.close()
"""


@pytest.mark.slow
async def test_a_process_killed_amid_group_commits_has_lost_nothing_that_it_acknowledged(
    log: AuditLog, database_url: str
) -> None:
    writers = [start_python(WRITE, database_url, "1000000") for _ in range(2)]
    try:
        said = []
        for writer in writers:
            assert writer.stdout
            said += [writer.stdout.readline() for _ in range(60)]
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            said += writer.communicate(timeout=30)[0].splitlines()
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    # The last line of each may have been cut short, even within a number.
    acknowledged = Counter(tuple(line.split()) for line in said if len(line.split()) == 2)
    report = await log.verify("default")
    assert report.ok
    records = await log.records("default", limit=report.records)
    missing = acknowledged - Counter((record.user, str(record.body["number"])) for record in records)
    assert missing.total() <= 2
    assert report.records >= acknowledged.total() - 2
    await log.note(call("1"))
    assert (await log.verify("default")).records == report.records + 1


@pytest.mark.slow
async def test_processes_that_write_groups_at_once_write_one_chain(log: AuditLog, database_url: str) -> None:
    output_of(*(start_python(WRITE, database_url, "5") for _ in range(2)))
    report = await log.verify("default")
    assert (report.ok, report.records) == (True, 200)

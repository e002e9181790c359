"""The snapshot is never older than the last commit, whoever made it."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from subprocess import Popen

import pytest

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.entries import ResourceInstance, RoleAssignment
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore
from tests.support.core import ENVIRONMENT, TENANT, family_settings
from tests.support.processes import start_python

SUSHI = ResourceRef("restaurants", "4")
HENRY_READS_SUSHI = Check(Actor("default", TENANT, "3"), "read", SUSHI)
HENRY_AT_SUSHI = RoleAssignment("3", "child-can-view", TENANT, SUSHI)
FRIES = ResourceRef("dishes", "2-fries")
DEAR, WRITES = 100_000, 200

OTHER_PROCESS = """
    import asyncio
    from pathlib import Path
    from permit_core.bootstrap import open_core
    from tests.permit_core.stores.test_current_facts import HENRY_AT_SUSHI, change, raise_prices
    from tests.support.core import family_settings
    core = await open_core(family_settings(Path("."), sys.argv[1]), migrate=False)
    if sys.argv[2] == "prices":
        await raise_prices(core)
    else:
        # Not in the event loop: what signs the log has a transaction open there at times.
        while word := (await asyncio.to_thread(sys.stdin.readline)).strip():
            await change(core, word)
            print("done", flush=True)
    await core.close()
"""


async def change(core: Core, word: str) -> None:
    """What one of the writers does next."""
    if word == "give":
        await core.directory.assign(core.system, HENRY_AT_SUSHI)
    elif word == "take":
        await core.directory.unassign(core.system, HENRY_AT_SUSHI)
    elif word == "note":
        await core.audit.note(AuditEvent("test.noted", Actor("default", "", "somebody"), {}))
    else:
        assert word == "fail"
        with suppress(ZeroDivisionError):
            async with core.database.transaction() as transaction:
                if not await core.directory.assign(core.system, HENRY_AT_SUSHI, transaction):
                    await core.directory.unassign(core.system, HENRY_AT_SUSHI, transaction)
                raise ZeroDivisionError


async def raise_prices(core: Core) -> None:
    """Raise a price again and again, and say each time what has been committed."""
    for cents in range(DEAR + 1, DEAR + WRITES + 1):
        await core.directory.put_instance(
            core.system, ResourceInstance(FRIES, TENANT, {"name": "Fries", "price_cents": cents})
        )
        sys.stdout.write(f"{cents}\n")
        sys.stdout.flush()


@pytest.fixture
async def other_core(core_on_each: Core, tmp_path: Path) -> AsyncIterator[Core]:
    other = await open_core(family_settings(tmp_path, core_on_each.settings.resolved_database_url), migrate=False)
    yield other
    await other.close()


@pytest.fixture
def other_process(core_on_each: Core, request: pytest.FixtureRequest) -> Iterator[Popen[str]]:
    process = start_python(OTHER_PROCESS, core_on_each.settings.resolved_database_url, request.param)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("other_process", ["words"], indirect=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whoever_writes_what_the_next_decision_knows_it(
    core_on_each: Core, other_core: Core, other_process: Popen[str], seed: int
) -> None:
    chance, given = Random(seed), False
    for _ in range(60):
        writer, word = chance.randrange(3), chance.choice(["give", "take", "give", "take", "note", "fail"])
        if writer == 2:
            assert await asyncio.to_thread(say, other_process, word) == "done"
        else:
            await change((core_on_each, other_core)[writer], word)
        given = {"give": True, "take": False}.get(word, given)
        for _ in range(chance.randrange(1, 3)):
            assert (await core_on_each.pdp.decide(HENRY_READS_SUSHI)).allowed is given, word


def say(process: Popen[str], word: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.parametrize("other_process", ["prices"], indirect=True)
async def test_facts_are_as_new_as_the_last_commit_while_another_process_commits_all_the_time(
    core_on_each: Core, other_process: Popen[str]
) -> None:
    assert other_process.stdout is not None
    told = other_process.stdout.fileno()
    os.set_blocking(told, False)
    current, rest, committed, looks = CurrentFacts(FactStore(), core_on_each.database), b"", 0, 0
    while committed < DEAR + WRITES:
        with suppress(BlockingIOError):
            *lines, rest = (rest + os.read(told, 10_000)).split(b"\n")
            committed = int(lines[-1]) if lines else committed
        facts = current.peek(ENVIRONMENT) or await current.facts(ENVIRONMENT)
        if committed:
            assert facts.instances[FRIES].attributes["price_cents"] >= committed
        assert other_process.poll() in {None, 0}
        looks += 1
        await asyncio.sleep(0)
    assert looks > WRITES


async def test_on_sqlite_unchanged_facts_are_peeked(core: Core) -> None:
    current = CurrentFacts(FactStore(), core.database)
    assert current.peek(ENVIRONMENT) is None
    facts = await current.facts(ENVIRONMENT)
    assert current.peek(ENVIRONMENT) is facts
    await change(core, "note")
    assert current.peek(ENVIRONMENT) is facts
    await change(core, "give")
    patched = current.peek(ENVIRONMENT)
    assert patched is not None
    assert patched.direct_roles("3", TENANT, SUSHI)
    assert not facts.direct_roles("3", TENANT, SUSHI)
    assert await current.facts(ENVIRONMENT) is current.peek(ENVIRONMENT) is patched


async def test_on_sqlite_what_is_far_behind_is_not_peeked(core: Core) -> None:
    current = CurrentFacts(FactStore(), core.database)
    await current.facts(ENVIRONMENT)
    for word in ("give", "take", "give", "take"):
        await change(core, word)
    assert current.peek(ENVIRONMENT) is None
    await current.facts(ENVIRONMENT)
    async with core.database.transaction(ENVIRONMENT) as transaction:
        await FactStore().bump(ENVIRONMENT, transaction, None, core.clock())
    assert current.peek(ENVIRONMENT) is None


async def test_what_is_not_committed_is_not_peeked(core: Core) -> None:
    current = CurrentFacts(FactStore(), core.database)
    before = await current.facts(ENVIRONMENT)
    async with core.database.transaction() as transaction:
        await core.directory.assign(core.system, HENRY_AT_SUSHI, transaction)
        assert current.peek(ENVIRONMENT) is before
        within = await current.facts(ENVIRONMENT, transaction)
        assert within.direct_roles("3", TENANT, SUSHI)
        assert current.peek(ENVIRONMENT) is before
        assert not (await current.facts(ENVIRONMENT)).direct_roles("3", TENANT, SUSHI)
    assert (await current.facts(ENVIRONMENT)).direct_roles("3", TENANT, SUSHI)


async def test_facts_are_found_again_after_the_database_was_closed(core: Core) -> None:
    current = CurrentFacts(FactStore(), core.database)
    facts = await current.facts(ENVIRONMENT)
    await core.database.close()
    assert current.peek(ENVIRONMENT) is None
    assert await current.facts(ENVIRONMENT) is facts
    assert current.peek(ENVIRONMENT) is facts


async def test_a_look_keeps_nobody_from_writing_the_log_into_the_file(core: Core) -> None:
    current = CurrentFacts(FactStore(), core.database)
    await current.facts(ENVIRONMENT)
    await change(core, "give")
    assert current.peek(ENVIRONMENT) is not None
    with closing(sqlite3.connect(core.database.location)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert (await current.facts(ENVIRONMENT)).direct_roles("3", TENANT, SUSHI)


async def test_a_look_at_what_is_not_there_is_no_answer(core: Core) -> None:
    await core.database.open_peek()
    assert core.database.peek("SELECT 1") == (1,)
    assert core.database.peek("SELECT 1 FROM no_such_table") is None
    assert core.database.peek("SELECT 1 WHERE 0") is None
    assert core.database.peek("DELETE FROM users") is None
    assert await core.directory.user(ENVIRONMENT, "3") is not None


async def test_closing_a_database_while_it_is_being_read_leaves_no_connection_open(core: Core) -> None:
    reading = [asyncio.ensure_future(CurrentFacts(FactStore(), core.database).facts(ENVIRONMENT)) for _ in range(5)]
    await asyncio.sleep(0)
    await core.database.close()
    await asyncio.gather(*reading, return_exceptions=True)
    await core.database.close()
    assert not [file for file in open_files() if file.startswith(core.database.location)]


def open_files() -> list[str]:
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one by which the folder is read
            found.append(str(each.readlink()))
    return found

"""What may go wrong at any moment and must do no harm: deaths, disappearances, repetitions, and somebody at the files."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from family_food.ordering.food import open_food
from permit_core.ports.request import RequestStatus
from tests.support.chat_server import until
from tests.support.clock import SteadyClock
from tests.support.core import family_settings
from tests.support.environment import PROJECT, bare_environment
from tests.support.family import DEAR_PIZZA, meet
from tests.support.hostile import JOE, OPERATION, Puppet, all_of, answer, puppet_show, question_to
from tests.support.ordering import Table
from tests.support.processes import start_python
from tests.support.scripted_model import calls, says

pytestmark = pytest.mark.slow

ORDER = ("order_dish", {"restaurant_id": "1", "dish_name": "Pepperoni Pizza"})


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Puppet]:
    async with puppet_show(tmp_path_factory.mktemp("harmless"), reconnect_seconds=0.2) as puppet:
        yield puppet


@pytest.fixture
async def puppet(shared: Puppet) -> AsyncIterator[Puppet]:
    """A chat of no requests and no orders, with everybody gone."""
    yield shared
    await until(lambda: not shared.server.manager.active_connections, "the end of every session")
    shared.clear()
    shared.will(says("Hello."))


# Deaths


async def test_a_child_killed_in_the_middle_of_an_order_has_ordered_once_or_not_at_all(puppet: Puppet) -> None:
    for delay in (0.0, 0.01, 0.03):
        request = await puppet.approved()
        puppet.will_call(("list_orders", {}))
        async with puppet.server.chat("henry") as henry:
            assert (await henry.ask("look first")).codes == [None]  # the tool server is up: it dies in the order
            puppet.will_call(ORDER)
            await henry.say("order it")
            while (await henry.next("tool"))["state"] != "started":
                pass
            await asyncio.sleep(delay)  # the moment of death
            for child in puppet.server.children():
                with suppress(ProcessLookupError):  # one of the round before, that has just gone by itself
                    os.kill(child, signal.SIGKILL)
            turn = await henry.turn()
            assert turn.outcome == "completed"
            assert turn.codes in (["tools_restarted"], [None]), delay
            placed = puppet.placed()
            used = await puppet.status(request) is RequestStatus.USED
            assert len(placed) == (1 if used else 0), delay
            puppet.will_call(ORDER)
            again = await henry.ask("once more")
            assert again.codes == (["approval_used"] if used else [None])
        assert [approval for *_, approval in puppet.placed()] == [request.id]
        puppet.clear()


async def test_seeding_that_is_killed_half_way_leaves_nothing_and_the_next_start_does_it_whole(tmp_path: Path) -> None:
    body = """
        import os, signal
        from pathlib import Path
        import family_food.seed as seed
        from tests.support.core import family_settings
        from utils import init_db

        async def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)

        seed.Accounts.seed = die  # the facts are written, the accounts are not, nothing is committed
        await init_db(family_settings(Path(sys.argv[1])))
    """
    with start_python(body, str(tmp_path)) as process:
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / "family.db")) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (0,)
    async with puppet_show(tmp_path) as puppet:
        assert (await puppet.server.log_in("henry")).status_code == 200
        before = puppet.sql("SELECT * FROM role_assignments"), puppet.sql("SELECT * FROM local_accounts")
    async with puppet_show(tmp_path) as puppet:
        assert (puppet.sql("SELECT * FROM role_assignments"), puppet.sql("SELECT * FROM local_accounts")) == before
        assert len(await puppet.server.events("accounts.seeded")) == 1


# Disappearances


async def test_a_parent_who_vanishes_with_a_question_open_has_decided_nothing(tmp_path: Path) -> None:
    async with puppet_show(tmp_path, reconnect_seconds=0.2, confirm_timeout_seconds=1) as puppet:
        request = await puppet.asked()
        puppet.will_decide(request)
        async with puppet.server.chat("joe") as joe:
            await joe.say("approve it")
            question = await question_to(joe)
            joe.lose()
        await until(lambda: not puppet.server.manager.active_connections, "the end of the session")
        assert await puppet.status(request) is RequestStatus.PENDING
        (declined,) = await puppet.server.events("decision.declined")
        assert declined["outcome"] == "expired"
        assert puppet.server.children() == []
        puppet.will(says("Welcome back."))
        async with puppet.server.chat("joe") as joe:
            await answer(joe, question, yes=True)
            assert (await joe.next("error"))["code"] == "no_such_confirm"
        assert await puppet.status(request) is RequestStatus.PENDING


async def test_a_child_who_vanishes_while_ordering_has_ordered_once(puppet: Puppet) -> None:
    request = await puppet.approved()
    puppet.will_call(ORDER)
    async with puppet.server.chat("henry") as henry:
        await henry.say("order it")
        await henry.next("tool")
        henry.lose()
    await until(lambda: not puppet.server.manager.active_connections, "the end of the session")
    assert puppet.server.children() == []
    assert await puppet.status(request) is RequestStatus.USED, "the turn came to its end without its person"
    assert len(puppet.placed()) == 1


async def test_a_child_who_leaves_while_ordering_has_ordered_once_or_not_at_all(puppet: Puppet) -> None:
    request = await puppet.approved()
    puppet.will_call(ORDER)
    async with puppet.server.chat("henry") as henry:
        await henry.say("order it")
        await henry.next("tool")
    await until(lambda: not puppet.server.manager.active_connections, "the end of the session")
    assert puppet.server.children() == []
    used = await puppet.status(request) is RequestStatus.USED
    assert len(puppet.placed()) == (1 if used else 0)


# The same thing twice


async def test_two_windows_that_hear_of_one_approval_order_once(puppet: Puppet) -> None:
    request = await puppet.asked()
    puppet.will(lambda prompt: calls(ORDER) if prompt.entries[-1].kind == "event" else says("So be it."))
    async with puppet.server.chat("henry") as one, puppet.server.chat("henry") as two:
        await puppet.server.backend.core.approvals.approve(JOE, OPERATION, request.id)
        turns = await all_of(one.turn(), two.turn())
    assert sorted(map(str, turns[0].codes + turns[1].codes)) == ["None", "approval_used"]
    assert len(puppet.placed()) == 1


async def test_one_parent_s_two_windows_that_both_say_yes_decide_once(puppet: Puppet) -> None:
    request = await puppet.asked()
    decided = len(await puppet.server.events("request.approved"))
    puppet.will(
        lambda prompt: (
            calls(("approve_operation_approval", {"operation_approval_id": request.id}))
            if prompt.entries[-1].kind == "user"
            else says("Done.")
        )
    )
    async with puppet.server.chat("joe") as one, puppet.server.chat("joe") as two:
        questions = []
        for window in (one, two):
            await window.say("approve it")
            questions.append(await question_to(window))
        await all_of(answer(one, questions[0], yes=True), answer(two, questions[1], yes=True))
        turns = await all_of(one.turn(), two.turn())
    assert all(set(turn.codes) <= {None, "already_decided"} for turn in turns)
    assert await puppet.status(request) is RequestStatus.APPROVED
    assert len(await puppet.server.events("request.approved")) == decided + 1


# The clock and the files


async def test_a_clock_that_goes_backwards_orders_nothing_twice_and_breaks_no_chain(tmp_path: Path) -> None:
    clock = SteadyClock()
    food = await open_food(family_settings(tmp_path), clock=clock)
    try:
        from permit_core.policy.facts_file import load_facts

        await food.core.directory.load(food.core.system, load_facts(food.core.settings.facts_file))
        table = Table(food, await meet(food.core, clock))
        await table.family.approved()
        clock.advance(days=-400)
        await table.desk.place(table.family.henry, "1", DEAR_PIZZA.key or "")
        for _ in range(2):
            clock.advance(hours=-5)
            with pytest.raises(Exception, match="has been used"):
                await table.desk.place(table.family.henry, "1", DEAR_PIZZA.key or "")
        assert len(await table.rows()) == 1
        assert (await food.core.audit.verify("default")).ok
    finally:
        await food.close()


TAMPERING = {
    "a price in an order's record": (
        "UPDATE audit_records SET body = replace(body, '899', '1') WHERE event = 'order.placed'",
        "changed",
    ),
    "a refusal that was none": ("DELETE FROM audit_records WHERE seq = 3", "missing"),
    "the end": ("DELETE FROM audit_records WHERE seq > (SELECT max(seq) - 2 FROM audit_records)", "cut_off"),
    "another person": ("UPDATE audit_records SET user_key = '4' WHERE event = 'order.placed'", "changed"),
}


async def test_whoever_changes_the_record_in_the_file_is_found_out(tmp_path: Path) -> None:
    async with puppet_show(tmp_path) as puppet:  # of its own: nothing that the record tells of was cleared away
        await _is_found_out(puppet, tmp_path)


async def _is_found_out(puppet: Puppet, tmp_path: Path) -> None:
    puppet.will_call(("order_dish", {"restaurant_id": "1", "dish_name": "Cheese Pizza"}))
    async with puppet.server.chat("henry") as henry:
        assert (await henry.ask("order")).codes == [None]
    await until(lambda: not puppet.server.manager.active_connections, "the end of the session")

    async def verify(file: Path) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "permit_mcp.command_line", "audit", "verify", cwd=PROJECT,
            env=bare_environment(DB_NAME=str(file), PYTHONPATH=str(PROJECT / "src")), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        return process.returncode, out.decode()

    files = {}
    for number, (what, (statement, _)) in enumerate(TAMPERING.items()):
        files[what] = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(puppet.file)) as source, closing(sqlite3.connect(files[what])) as copy:
            source.backup(copy)
            with pytest.raises(sqlite3.IntegrityError, match="only grows"):
                copy.execute(statement)
            for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                copy.execute(f'DROP TRIGGER "{name}"')
            assert copy.execute(statement).rowcount > 0, what
            copy.commit()
    untouched, *changed = await all_of(verify(puppet.file), *(verify(file) for file in files.values()))
    assert untouched[0] == 0, untouched
    for (what, (_, damage)), (code, said) in zip(TAMPERING.items(), changed, strict=True):
        assert (code, damage in said) == (1, True), (what, said)

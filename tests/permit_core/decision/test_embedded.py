"""The decision point of this process: fresh, consistent, and closed when something fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from permit_core.access import Check, Effect, ReasonCode, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.database import Database, Transaction
from permit_core.decision import embedded
from permit_core.decision.embedded import EmbeddedPdp
from permit_core.entries import RoleAssignment
from permit_core.errors import StoreError
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.stores.facts import FactStore, FactsVersion, StoredFacts
from tests.support.core import TENANT, family_settings
from tests.support.processes import output_of, start_python

SUSHI = ResourceRef("restaurants", "4")
HENRY_READS_SUSHI = Check(Actor("default", TENANT, "3"), "read", SUSHI)
HENRY_AT_SUSHI = RoleAssignment("3", "child-can-view", TENANT, SUSHI)


class CountingStore(FactStore):
    """Counts how often all facts are read."""

    def __init__(self) -> None:
        self.snapshots = 0

    async def stored(self, environment: str, transaction: Transaction) -> StoredFacts:
        self.snapshots += 1
        return await super().stored(environment, transaction)


class BrokenStore(FactStore):
    """Fails, or never answers."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def version(self, environment: str, transaction: Transaction) -> FactsVersion:
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
async def other_core(core_on_each: Core, tmp_path: Path) -> AsyncIterator[Core]:
    """A second core on the same database, with connections and a snapshot of its own."""
    url = core_on_each.settings.resolved_database_url
    other = await open_core(family_settings(tmp_path, url), migrate=False)
    yield other
    await other.close()


async def effect_of(core: Core, check: Check, transaction: Transaction | None = None) -> Effect:
    return (await core.pdp.decide(check, transaction)).effect


async def test_an_assignment_and_a_revocation_elsewhere_count_on_the_next_decision(
    core_on_each: Core, other_core: Core
) -> None:
    for _ in range(2):
        assert await effect_of(core_on_each, HENRY_READS_SUSHI) is Effect.DENY
        await other_core.directory.assign(other_core.system, HENRY_AT_SUSHI)
        assert await effect_of(core_on_each, HENRY_READS_SUSHI) is Effect.ALLOW
        await other_core.directory.unassign(other_core.system, HENRY_AT_SUSHI)
    assert await effect_of(core_on_each, HENRY_READS_SUSHI) is Effect.DENY


async def test_a_revocation_by_another_process_counts_on_the_next_decision(core_on_each: Core) -> None:
    await core_on_each.directory.assign(core_on_each.system, HENRY_AT_SUSHI)
    assert await effect_of(core_on_each, HENRY_READS_SUSHI) is Effect.ALLOW
    body = """
        from pathlib import Path
        from permit_core.bootstrap import open_core
        from tests.permit_core.decision.test_embedded import HENRY_AT_SUSHI
        from tests.support.core import family_settings
        core = await open_core(family_settings(Path("."), sys.argv[1]), migrate=False)
        print(await core.directory.unassign(core.system, HENRY_AT_SUSHI))
        await core.close()
    """
    output = output_of(start_python(body, core_on_each.settings.resolved_database_url))
    assert output == ["True\n"]
    assert await effect_of(core_on_each, HENRY_READS_SUSHI) is Effect.DENY


async def test_a_decision_in_a_transaction_sees_what_that_transaction_wrote_and_others_do_not(
    core_on_each: Core, other_core: Core
) -> None:
    async with core_on_each.database.transaction() as transaction:
        await core_on_each.directory.assign(core_on_each.system, HENRY_AT_SUSHI, transaction)
        assert await effect_of(core_on_each, HENRY_READS_SUSHI, transaction) is Effect.ALLOW
        assert await effect_of(core_on_each, HENRY_READS_SUSHI) is Effect.DENY
        assert await effect_of(other_core, HENRY_READS_SUSHI) is Effect.DENY
        await core_on_each.directory.unassign(core_on_each.system, HENRY_AT_SUSHI, transaction)
        assert await effect_of(core_on_each, HENRY_READS_SUSHI, transaction) is Effect.DENY


async def test_facts_that_were_rolled_back_are_not_decided_on_afterwards(core_on_each: Core) -> None:
    core = core_on_each

    async def assign_look_and_fail() -> None:
        async with core.database.transaction() as transaction:
            await core.directory.assign(core.system, HENRY_AT_SUSHI, transaction)
            assert await effect_of(core, HENRY_READS_SUSHI, transaction) is Effect.ALLOW
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await assign_look_and_fail()
    # Another change gets the very number that was given up.
    await core.directory.assign(core.system, RoleAssignment("4", "child-can-view", TENANT, SUSHI))
    assert await effect_of(core, HENRY_READS_SUSHI) is Effect.DENY


async def test_facts_are_read_once_and_patched_from_then_on(core: Core) -> None:
    store = CountingStore()
    pdp = EmbeddedPdp(core.policies, store, core.database)
    for _ in range(3):
        await pdp.decide(HENRY_READS_SUSHI)
        await pdp.decide_many([HENRY_READS_SUSHI] * 3)
    async with core.database.transaction() as transaction:
        await pdp.decide(HENRY_READS_SUSHI, transaction)
    assert store.snapshots == 1
    await core.directory.assign(core.system, HENRY_AT_SUSHI)
    assert (await pdp.decide(HENRY_READS_SUSHI)).allowed
    assert store.snapshots == 1


async def test_several_checks_are_answered_in_their_order(core: Core) -> None:
    checks = [Check(Actor("default", TENANT, "3"), "read", ResourceRef("restaurants", key)) for key in ("4", "1", "99")]
    decisions = await core.pdp.decide_many(checks)
    assert [decision.effect for decision in decisions] == [Effect.DENY, Effect.ALLOW, Effect.DENY]
    assert await core.pdp.decide_many([]) == []


@pytest.mark.parametrize("error", [StoreError("gone"), ValueError("odd"), RuntimeError("broken"), None])
async def test_whatever_fails_the_answer_is_no(
    core: Core, error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    pdp = EmbeddedPdp(core.policies, BrokenStore(error), core.database, timeout_seconds=0.05)
    decisions = await pdp.decide_many([Check(Actor("default", TENANT, "1"), "read", SUSHI)] * 2)
    assert {(decision.effect, decision.reason_code) for decision in decisions} == {(Effect.DENY, ReasonCode.PDP_ERROR)}
    assert len(decisions) == 2
    assert "are denied" in caplog.text


async def test_a_failing_engine_says_no_to_that_check_alone(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = vars(embedded)["decide"]

    def sometimes(model: Any, facts: Facts, check: Check) -> Any:
        if check.actor.user == "3":
            raise RecursionError
        return real(model, facts, check)

    monkeypatch.setattr(embedded, "decide", sometimes)
    henry, joe = await core.pdp.decide_many([HENRY_READS_SUSHI, Check(Actor("default", TENANT, "1"), "read", SUSHI)])
    assert henry.reason_code is ReasonCode.PDP_ERROR
    assert joe.allowed


async def test_without_its_database_it_says_no(core: Core) -> None:
    unreachable = Database.open("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    decision = await EmbeddedPdp(core.policies, FactStore(), unreachable).decide(
        Check(Actor("default", TENANT, "1"), "read", SUSHI)
    )
    assert decision.reason_code is ReasonCode.PDP_ERROR
    await unreachable.close()

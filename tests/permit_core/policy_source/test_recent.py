"""The last checks are kept with what conditions read, and a changed policy is tried on them before it is in force."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.entries import ResourceInstance, RoleAssignment, User
from permit_core.errors import StoreError
from permit_core.identity import Actor
from permit_core.policy_source import policy_file, recent
from permit_core.ports.record import RecordFilter
from permit_core.settings import Settings
from permit_core.stores import recent_checks as store
from permit_core.stores.tables import recent_checks
from tests.support.clock import SteadyClock

POLICY = """
version: 2
name: Payments
resources:
  accounts: {actions: [pay, look], attributes: {owner: {type: string}, limit: {type: number}}}
roles: {clerk: {}}
resource_sets:
  hers: {resource: accounts, conditions: {resource.owner: {equals: anna-secret}}}
set_rules:
  - {user_set: clerk, is_role: true, permission: "accounts:pay", resource_set: hers, when: {call.amount: {less-than: 100}}}
tools: {pay: {action: pay, resource: accounts, arguments: {amount: number}}}
...
"""
LOOSER = POLICY.replace("less-than: 100", "less-than: 1000")
ANN = Actor("default", "default", "ann")


def paying(amount: int, account: str = "a1") -> Check:
    return Check(ANN, "pay", ResourceRef("accounts", account), call={"amount": amount, "note": "for Bob"})


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return Settings(
        database_url=SecretStr(database_url),
        policy_file=str(tmp_path / "policy.yaml"),
        tenant="default",
        state_dir=str(tmp_path / "state"),
    )


@pytest.fixture
async def core(settings: Settings, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Core]:
    monkeypatch.setattr(policy_file, "SETTLED_SECONDS", 0.0)
    core = await open_core(settings, clock=clock)
    directory, actor = core.directory, core.system
    await directory.put_tenant(actor, "default", "Default")
    await directory.put_user(actor, User("ann", "Ann"))
    for key in ("a1", "a2"):
        owner = {"owner": "anna-secret", "limit": 5}
        await directory.put_instance(actor, ResourceInstance(ResourceRef("accounts", key), "default", owner))
    await directory.assign(actor, RoleAssignment("ann", "clerk", "default"))
    yield core
    await core.close()


async def written(core: Core) -> list[dict[str, Any]]:
    assert core.recent is not None
    await core.recent._write()
    async with core.database.reading() as reading:
        return await store.read_checks("default", reading, core.clock())


async def test_a_changed_policy_is_tried_on_what_was_asked_and_says_what_it_would_have_allowed(
    core: Core, tmp_path: Path
) -> None:
    for amount in (50, 500, 600, 5000):
        await core.pdp.decide(paying(amount))
    (tmp_path / "policy.yaml").write_text(LOOSER)
    await core.policies.renew("default")
    (record,) = await core.audit.records("default", RecordFilter(event="policy.changed"))
    (line,) = record.body["loosens"]
    assert line.startswith(
        "2 of the last 4 checks, such as user ann pay accounts:a1 in tenant default: deny becomes allow"
    )


async def test_what_is_kept_has_the_values_that_conditions_read_and_no_text_of_them(core: Core) -> None:
    await core.pdp.decide(paying(50))
    (kept,) = await written(core)
    assert sorted(kept["values"]) == ["call.amount", "resource.owner"]
    assert kept["values"]["call.amount"] == 50
    assert "anna-secret" not in json.dumps(kept)
    assert (kept["user"], kept["resource"], kept["action"]) == ("ann", "accounts:a1", "pay")


async def test_a_hash_is_of_no_use_without_the_key(core: Core, settings: Settings) -> None:
    await core.pdp.decide(paying(50))
    (kept,) = await written(core)
    (settings.state_folder / recent.KEY_FILE).unlink()
    other = await open_core(settings)
    await other.pdp.decide(paying(50))
    first, second = await written(other)
    assert first["values"]["resource.owner"] != second["values"]["resource.owner"]
    assert kept in (first, second)
    assert other.recent is not None
    assert await other.recent.loosened(core.model, core.model) == []
    await other.close()


async def test_the_same_check_is_kept_once_and_only_so_many_of_the_last_ones(
    core: Core, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_KEPT", 3)
    for _ in range(3):
        await core.pdp.decide(Check(ANN, "look", ResourceRef("accounts", "a1")))
    assert len(await written(core)) == 1
    for amount in range(5):
        clock.advance(seconds=1)
        await core.pdp.decide(paying(amount))
        await written(core)
    assert [each["values"]["call.amount"] for each in await written(core)] == [4, 3, 2]


async def test_after_thirty_days_a_check_is_gone(core: Core, settings: Settings, clock: SteadyClock) -> None:
    await core.pdp.decide(paying(50))
    assert len(await written(core)) == 1
    clock.advance(days=31)
    assert await written(core) == []
    again = await open_core(settings, clock=clock)
    async with again.database.reading() as reading:
        assert (await reading.execute(select(func.count()).select_from(recent_checks))).scalar_one() == 0
    await again.close()


async def test_checks_are_written_by_themselves_and_when_the_program_ends(
    core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "WRITE_SECONDS", 0.0)
    assert core.recent is not None
    await core.pdp.decide(paying(1))
    task = core.recent._task
    assert task is not None
    await asyncio.wait_for(task, 20)
    assert core.recent._task is None
    async with core.database.reading() as reading:
        assert len(await store.read_checks("default", reading, core.clock())) == 1
    other = await open_core(settings, clock=core.clock)
    await other.pdp.decide(paying(2))
    await other.close()
    assert len(await written(core)) == 2


async def test_what_cannot_be_written_keeps_nobody_waiting_and_is_kept_the_next_time(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(type(core.database), "write", away)
        await core.pdp.decide(paying(1))
        assert await written(core) == []
    await core.pdp.decide(paying(1))
    assert len(await written(core)) == 1

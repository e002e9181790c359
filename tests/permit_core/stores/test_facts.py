"""Facts as rows."""

import gc
from datetime import UTC, datetime

import pytest

from permit_core.access import ResourceRef
from permit_core.database import Database
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Facts
from permit_core.stores.facts import MANY_OBJECTS, FactStore, collector_resting, read_tenant_roles, read_user_in
from tests.support.core import ENVIRONMENT

STORE = FactStore()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUSE = ResourceRef("houses", "1")
ROOM = ResourceRef("rooms", "1-kitchen")


@pytest.fixture
async def home(database: Database) -> Database:
    async with database.transaction() as writing:
        await STORE.put_tenant(ENVIRONMENT, writing, "home", "Home")
        await STORE.put_tenant(ENVIRONMENT, writing, "work", "Work")
        await STORE.put_user(ENVIRONMENT, writing, User("rose", "Rose", "", "rose@home", {"age": 12}))
        await STORE.put_instance(ENVIRONMENT, writing, ResourceInstance(HOUSE, "home", {"name": "Ours"}))
        await STORE.put_instance(
            ENVIRONMENT, writing, ResourceInstance(ROOM, "home", {"size": 3.5, "windows": [1, {"n": None}]})
        )
        await STORE.put_assignment(ENVIRONMENT, writing, RoleAssignment("rose", "child", "home"))
        await STORE.put_assignment(ENVIRONMENT, writing, RoleAssignment("rose", "guest", "work"))
        await STORE.put_assignment(ENVIRONMENT, writing, RoleAssignment("rose", "owner", "home", ROOM))
        await STORE.add_tuple(ENVIRONMENT, writing, RelationshipTuple(HOUSE, "house", ROOM, "home"))
    return database


async def test_a_snapshot_is_what_was_written(home: Database) -> None:
    async with home.reading() as reading:
        assert await STORE.snapshot(ENVIRONMENT, reading) == Facts.of(
            users=[User("rose", "Rose", "", "rose@home", {"age": 12})],
            tenants=["home", "work"],
            instances=[
                ResourceInstance(HOUSE, "home", {"name": "Ours"}),
                ResourceInstance(ROOM, "home", {"size": 3.5, "windows": [1, {"n": None}]}),
            ],
            assignments=[
                RoleAssignment("rose", "child", "home"),
                RoleAssignment("rose", "guest", "work"),
                RoleAssignment("rose", "owner", "home", ROOM),
            ],
            tuples=[RelationshipTuple(HOUSE, "house", ROOM, "home")],
        )


async def test_what_is_put_again_is_replaced(home: Database) -> None:
    async with home.transaction() as writing:
        await STORE.put_tenant(ENVIRONMENT, writing, "home", "Our home")
        await STORE.put_user(ENVIRONMENT, writing, User("rose", "Rosie"))
        await STORE.put_instance(ENVIRONMENT, writing, ResourceInstance(HOUSE, "home", {"name": "Sold"}))
    async with home.reading() as reading:
        assert await STORE.tenant_name(ENVIRONMENT, reading, "home") == "Our home"
        assert await STORE.user(ENVIRONMENT, reading, "rose") == User("rose", "Rosie")
        assert await STORE.instance(ENVIRONMENT, reading, HOUSE) == ResourceInstance(HOUSE, "home", {"name": "Sold"})


async def test_what_is_not_there_is_none(home: Database) -> None:
    async with home.reading() as reading:
        assert await STORE.tenant_name(ENVIRONMENT, reading, "nowhere") is None
        assert await STORE.user(ENVIRONMENT, reading, "nobody") is None
        assert await reading.run_sync(read_user_in, ENVIRONMENT, "home", "nobody") is None
        assert await reading.run_sync(read_user_in, ENVIRONMENT, "nowhere", "rose") is None
        assert await STORE.instance(ENVIRONMENT, reading, ResourceRef("houses", "2")) is None
        assert await STORE.instance(ENVIRONMENT, reading, ResourceRef("houses")) is None
        assert await reading.run_sync(read_tenant_roles, ENVIRONMENT, "home", "nobody", NOON) == frozenset()
        assert await STORE.seed_digest(ENVIRONMENT, reading, "facts") is None


async def test_tenant_roles_are_those_of_the_tenant_and_not_of_instances(home: Database) -> None:
    async with home.reading() as reading:
        assert await reading.run_sync(read_tenant_roles, ENVIRONMENT, "home", "rose", NOON) == {"child"}
        assert await reading.run_sync(read_tenant_roles, ENVIRONMENT, "work", "rose", NOON) == {"guest"}


async def test_what_is_removed_is_gone_and_nothing_else(home: Database) -> None:
    async with home.transaction() as writing:
        await STORE.remove(ENVIRONMENT, writing, RoleAssignment("rose", "owner", "home", ROOM))
        await STORE.remove(ENVIRONMENT, writing, RelationshipTuple(HOUSE, "house", ROOM, "home"))
    async with home.reading() as reading:
        assert not await STORE.assignment(ENVIRONMENT, reading, RoleAssignment("rose", "owner", "home", ROOM))
        assert await STORE.assignment(ENVIRONMENT, reading, RoleAssignment("rose", "child", "home"))
        assert not await STORE.has_tuple(ENVIRONMENT, reading, RelationshipTuple(HOUSE, "house", ROOM, "home"))


async def test_every_bump_is_a_version_of_its_own_even_after_a_rollback(database: Database) -> None:
    seen = []

    async def bump() -> None:
        async with database.transaction() as writing:
            await STORE.bump(ENVIRONMENT, writing, [], NOON)
            seen.append(await STORE.version(ENVIRONMENT, writing))
            if len(seen) == 1:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await bump()
    await bump()
    await bump()
    assert [version.number for version in seen] == [1, 1, 2]
    assert len(set(seen)) == 3
    async with database.reading() as reading:
        assert await STORE.version(ENVIRONMENT, reading) == seen[-1]


def test_the_collector_of_cycles_rests_until_the_last_reader_is_done_and_then_leaves_what_was_made_alone() -> None:
    gc.unfreeze()
    try:
        with collector_resting():
            with collector_resting():
                assert not gc.isenabled()
            assert not gc.isenabled()
            made = [[number] for number in range(MANY_OBJECTS)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= len(made)
    finally:
        gc.unfreeze()


def test_a_program_that_has_switched_the_collector_off_finds_it_off() -> None:
    gc.disable()
    try:
        with collector_resting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()

"""Facts as rows."""

import pytest

from permit_core.access import ResourceRef
from permit_core.database import Database
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Facts
from permit_core.stores.facts import FactStore, read_tenant_roles, read_user_in

STORE = FactStore()
HOUSE = ResourceRef("houses", "1")
ROOM = ResourceRef("rooms", "1-kitchen")


@pytest.fixture
async def home(database: Database) -> Database:
    async with database.transaction() as writing:
        await STORE.put_tenant(writing, "home", "Home")
        await STORE.put_tenant(writing, "work", "Work")
        await STORE.put_user(writing, User("rose", "Rose", "", "rose@home", {"age": 12}))
        await STORE.put_instance(writing, ResourceInstance(HOUSE, "home", {"name": "Ours"}))
        await STORE.put_instance(writing, ResourceInstance(ROOM, "home", {"size": 3.5, "windows": [1, {"n": None}]}))
        await STORE.add_assignment(writing, RoleAssignment("rose", "child", "home"))
        await STORE.add_assignment(writing, RoleAssignment("rose", "guest", "work"))
        await STORE.add_assignment(writing, RoleAssignment("rose", "owner", "home", ROOM))
        await STORE.add_tuple(writing, RelationshipTuple(HOUSE, "house", ROOM, "home"))
    return database


async def test_a_snapshot_is_what_was_written(home: Database) -> None:
    async with home.reading() as reading:
        assert await STORE.snapshot(reading) == Facts.of(
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
        await STORE.put_tenant(writing, "home", "Our home")
        await STORE.put_user(writing, User("rose", "Rosie"))
        await STORE.put_instance(writing, ResourceInstance(HOUSE, "home", {"name": "Sold"}))
    async with home.reading() as reading:
        assert await STORE.tenant_name(reading, "home") == "Our home"
        assert await STORE.user(reading, "rose") == User("rose", "Rosie")
        assert await STORE.instance(reading, HOUSE) == ResourceInstance(HOUSE, "home", {"name": "Sold"})


async def test_what_is_not_there_is_none(home: Database) -> None:
    async with home.reading() as reading:
        assert await STORE.tenant_name(reading, "nowhere") is None
        assert await STORE.user(reading, "nobody") is None
        assert await reading.run_sync(read_user_in, "nobody", "home") is None
        assert await reading.run_sync(read_user_in, "rose", "nowhere") is None
        assert await STORE.instance(reading, ResourceRef("houses", "2")) is None
        assert await STORE.instance(reading, ResourceRef("houses")) is None
        assert await reading.run_sync(read_tenant_roles, "nobody", "home") == frozenset()
        assert await STORE.seed_digest(reading, "facts") is None


async def test_tenant_roles_are_those_of_the_tenant_and_not_of_instances(home: Database) -> None:
    async with home.reading() as reading:
        assert await reading.run_sync(read_tenant_roles, "rose", "home") == {"child"}
        assert await reading.run_sync(read_tenant_roles, "rose", "work") == {"guest"}


async def test_what_is_removed_is_gone_and_nothing_else(home: Database) -> None:
    async with home.transaction() as writing:
        await STORE.remove_assignment(writing, RoleAssignment("rose", "owner", "home", ROOM))
        await STORE.remove_tuple(writing, RelationshipTuple(HOUSE, "house", ROOM, "home"))
    async with home.reading() as reading:
        assert not await STORE.has_assignment(reading, RoleAssignment("rose", "owner", "home", ROOM))
        assert await STORE.has_assignment(reading, RoleAssignment("rose", "child", "home"))
        assert not await STORE.has_tuple(reading, RelationshipTuple(HOUSE, "house", ROOM, "home"))


async def test_every_bump_is_a_version_of_its_own_even_after_a_rollback(database: Database) -> None:
    seen = []

    async def bump() -> None:
        async with database.transaction() as writing:
            await STORE.bump(writing)
            seen.append(await STORE.version(writing))
            if len(seen) == 1:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await bump()
    await bump()
    await bump()
    assert [version.number for version in seen] == [1, 1, 2]
    assert len(set(seen)) == 3
    async with database.reading() as reading:
        assert await STORE.version(reading) == seen[-1]

"""The directory in Permit.io: what is read is what is there, what is written is checked and audited here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import Conflict, InvalidInput, NotFound
from permit_core.policy.facts_file import load_facts
from permit_core.stores.facts import FactStore
from tests.support.core import ENVIRONMENT, POLICIES, SYSTEM, TENANT
from tests.support.family import CHEAP_PIZZA, PIZZA_PALACE, ROLE, SUSHI_WORLD, refused
from tests.support.permit_io import SeededPermit

NOBODY = ResourceRef("restaurants", "99")


@pytest.fixture
async def core(permit_io: SeededPermit, tmp_path: Path) -> AsyncIterator[Core]:
    opened = await permit_io.core(tmp_path)
    yield opened
    await opened.close()


async def audited(core: Core) -> list[str]:
    return [record.event for record in await core.audit.records("default")]


async def test_everything_of_the_facts_file_is_read_back(core: Core) -> None:
    facts = load_facts(POLICIES / "family_food.facts.yaml")
    for user in facts.users:
        assert await core.directory.user(ENVIRONMENT, user.key) == user
    for instance in facts.instances:
        assert await core.directory.instance(ENVIRONMENT, TENANT, instance.ref) == instance
    page = await core.directory.instances(ENVIRONMENT, TENANT, "restaurants", 2, 3)
    assert ([each.ref.key for each in page.items], page.total) == (["4"], 4)
    dishes = await core.directory.objects(ENVIRONMENT, TENANT, PIZZA_PALACE, "restaurant")
    assert dishes == [each for each in facts.instances if str(each.ref.key).startswith("1-")]
    assert await core.directory.tenant_roles(ENVIRONMENT, TENANT, "1") == {"parent"}


@pytest.mark.parametrize("key", ["99", "..", ".", "", "a/b", "3?x=1", "3#", "x" * 101])
async def test_who_is_not_there_is_none_whatever_the_key(core: Core, key: str) -> None:
    assert await core.directory.user(ENVIRONMENT, key) is None
    assert await core.directory.actor(ENVIRONMENT, TENANT, key) is None
    assert await core.directory.tenant_roles(ENVIRONMENT, TENANT, key) == frozenset()


async def test_permit_ios_own_id_of_a_user_is_no_key(core: Core) -> None:
    assert core.permit_io is not None
    found = await core.permit_io.sdk("a user", lambda sdk: sdk.api.users.get("3"))
    assert await core.directory.user(ENVIRONMENT, str(found.id)) is None


async def test_in_another_tenant_there_is_nothing(core: Core) -> None:
    directory = core.directory
    assert await directory.actor(ENVIRONMENT, "elsewhere", "1") is None
    assert await directory.tenant_roles(ENVIRONMENT, "elsewhere", "1") == frozenset()
    assert await directory.instance(ENVIRONMENT, "elsewhere", PIZZA_PALACE) is None
    assert (await directory.instances(ENVIRONMENT, "elsewhere", "restaurants")).total == 0
    assert await directory.objects(ENVIRONMENT, "elsewhere", PIZZA_PALACE, "restaurant") == []


@pytest.mark.parametrize(("page", "per_page"), [(0, 10), (1, 0), (1, 101)])
async def test_a_page_that_cannot_be_is_refused(core: Core, page: int, per_page: int) -> None:
    assert (
        await refused(core.directory.instances(ENVIRONMENT, TENANT, "restaurants", page, per_page))
    ).code == "invalid_page"


async def test_a_user_whose_key_has_every_allowed_character_is_written_and_read(core: Core) -> None:
    user = User("auth0|ann.b-c_d+1@example.com", "Ann", "Bee", "ann@example.com")
    assert await core.directory.put_user(core.system, user)
    assert not await core.directory.put_user(core.system, user)
    assert await core.directory.user(ENVIRONMENT, user.key) == user
    assert (await audited(core))[-1] == "user.put"
    await core.directory.assign(core.system, RoleAssignment(user.key, "child", TENANT))
    assert await core.directory.tenant_roles(ENVIRONMENT, TENANT, user.key) == {"child"}


async def test_writing_says_whether_anything_changed_and_is_audited_once(core: Core) -> None:
    directory, before = core.directory, len(await audited(core))
    given = RoleAssignment("3", ROLE, TENANT, SUSHI_WORLD)
    dish = ResourceInstance(ResourceRef("dishes", "4-soup"), TENANT, {"name": "Soup", "price_cents": 500})
    link = RelationshipTuple(SUSHI_WORLD, "restaurant", dish.ref, TENANT)
    for write in (
        partial(directory.put_instance, SYSTEM, dish),
        partial(directory.relate, SYSTEM, link),
        partial(directory.unrelate, SYSTEM, link),
        partial(directory.assign, SYSTEM, given),
        partial(directory.unassign, SYSTEM, given),
    ):
        assert [await write(), await write()] == [True, False]
    assert (await audited(core))[before:] == [
        "instance.put",
        "relationship.added",
        "relationship.removed",
        "role.assigned",
        "role.unassigned",
    ]


async def test_who_and_what_is_removed_is_gone_in_permit_io_with_what_hung_on_it_and_on_record_once(core: Core) -> None:
    directory, before = core.directory, len(await audited(core))
    assert [await directory.remove_user(core.system, "3") for _ in range(2)] == [True, False]
    assert await directory.user(ENVIRONMENT, "3") is None
    assert await directory.actor(ENVIRONMENT, TENANT, "3") is None
    assert await directory.tenant_roles(ENVIRONMENT, TENANT, "3") == frozenset()
    assert [await directory.remove_instance(core.system, CHEAP_PIZZA) for _ in range(2)] == [True, False]
    assert await directory.instance(ENVIRONMENT, TENANT, CHEAP_PIZZA) is None
    dishes = await directory.objects(ENVIRONMENT, TENANT, PIZZA_PALACE, "restaurant")
    assert CHEAP_PIZZA not in [each.ref for each in dishes]
    assert await directory.put_tenant(core.system, "other", "Other")
    assert [await directory.remove_tenant(core.system, "other") for _ in range(2)] == [True, False]
    assert (await audited(core))[before:] == ["user.removed", "instance.removed", "tenant.put", "tenant.removed"]


async def test_a_user_who_was_removed_may_nothing_at_the_next_question(core: Core) -> None:
    joe = await core.directory.actor(ENVIRONMENT, TENANT, "1")
    assert joe is not None
    check = Check(joe, "review", PIZZA_PALACE)
    assert (await core.pdp.decide(check)).allowed
    assert await core.directory.remove_user(core.system, "1")
    assert not (await core.pdp.decide(check)).allowed


async def test_what_the_policy_has_no_word_for_is_not_sent(core: Core) -> None:
    directory = core.directory
    for attempt in (
        directory.assign(SYSTEM, RoleAssignment("3", "king", TENANT)),
        directory.put_instance(SYSTEM, ResourceInstance(CHEAP_PIZZA, TENANT, {"colour": "red"})),
        directory.relate(SYSTEM, RelationshipTuple(CHEAP_PIZZA, "restaurant", PIZZA_PALACE, TENANT)),
        directory.put_user(SYSTEM, User("a b", "Ann")),
    ):
        assert isinstance(await refused(attempt), InvalidInput)


async def test_nothing_comes_to_be_by_a_slip_of_the_pen(core: Core) -> None:
    directory = core.directory
    assert (
        await refused(directory.assign(SYSTEM, RoleAssignment("3", ROLE, TENANT, NOBODY)))
    ).code == "no_such_instance"
    assert await directory.instance(ENVIRONMENT, TENANT, NOBODY) is None
    link = RelationshipTuple(NOBODY, "restaurant", CHEAP_PIZZA, TENANT)
    assert isinstance(await refused(directory.relate(SYSTEM, link)), NotFound)
    assert (await refused(directory.assign(SYSTEM, RoleAssignment("99", "child", TENANT)))).code == "no_such_user"


async def test_an_instance_does_not_move_to_another_tenant(core: Core) -> None:
    await core.directory.put_tenant(core.system, "neighbours", "The neighbours")
    error = await refused(
        core.directory.put_instance(core.system, ResourceInstance(PIZZA_PALACE, "neighbours", {"name": "Ours"}))
    )
    assert isinstance(error, Conflict)
    assert error.code == "other_tenant"


async def test_names_of_whoever_acts_are_kept_here_and_nothing_else(core: Core) -> None:
    await core.directory.put_user(core.system, User("5", "Ann", "", "ann@example.com"))
    await core.directory.assign(core.system, RoleAssignment("5", "child", TENANT))
    assert await core.directory.actor(ENVIRONMENT, TENANT, "5") is not None
    async with core.database.reading() as reading:
        facts = await FactStore().snapshot(ENVIRONMENT, reading)
    assert facts.users["5"] == User("5", "Ann")
    assert (dict(facts.instances), dict(facts.held)) == ({}, {})

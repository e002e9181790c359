"""The directory: what may be written, what comes of it, and starting a new database."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from permit_core.access import Check, ReasonCode, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.directory.sql import facts_digest
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import Conflict, InvalidInput, NotFound, UserFacing
from permit_core.identity import Actor
from permit_core.policy.facts_file import FactsFile, load_facts
from permit_core.policy.facts_schema import TenantEntry
from permit_core.ports.record import RecordFilter
from permit_core.stores.facts import FactStore
from tests.support.core import ENVIRONMENT, POLICIES, SYSTEM, TENANT, family_settings
from tests.support.processes import start_python

SUSHI = ResourceRef("restaurants", "4")
PLATTER = ResourceRef("dishes", "4-sushi-platter")
HENRY_AT_PIZZA = RoleAssignment("3", "child-can-view", TENANT, ResourceRef("restaurants", "1"))
HENRY_AT_SUSHI = RoleAssignment("3", "child-can-view", TENANT, SUSHI)


def shipped_facts() -> FactsFile:
    return load_facts(POLICIES / "family_food.facts.yaml")


async def version_of(core: Core) -> int:
    async with core.database.reading() as reading:
        return (await FactStore().version(ENVIRONMENT, reading)).number


async def holds(core: Core, assignment: RoleAssignment) -> bool:
    async with core.database.reading() as reading:
        return await FactStore().assignment(ENVIRONMENT, reading, assignment) is not None


async def test_people_and_things_are_found(core_on_each: Core) -> None:
    directory = core_on_each.directory
    henry = await directory.user(ENVIRONMENT, "3")
    assert henry is not None
    assert henry.name == "Henry"
    assert await directory.actor(ENVIRONMENT, TENANT, "3") == Actor("default", TENANT, "3", "Henry")
    assert await directory.tenant_roles(ENVIRONMENT, TENANT, "3") == {"child"}
    sushi = await directory.instance(ENVIRONMENT, TENANT, SUSHI)
    assert sushi is not None
    assert PLATTER in [found.ref for found in await directory.objects(ENVIRONMENT, TENANT, SUSHI, "restaurant")]
    page = await directory.instances(ENVIRONMENT, TENANT, "restaurants", per_page=3)
    assert [found.ref.key for found in page.items] == ["1", "2", "3"]
    assert page.total == 4


async def everything_asked(core: Core) -> list[object]:
    directory, answers = core.directory, list[object]()
    for tenant in (TENANT, "elsewhere", "nowhere"):
        for user in ("1", "3", "nobody"):
            answers += [
                await directory.actor(ENVIRONMENT, tenant, user),
                await directory.tenant_roles(ENVIRONMENT, tenant, user),
            ]
        for ref in (SUSHI, PLATTER, ResourceRef("restaurants", "7"), ResourceRef("restaurants")):
            answers.append(await directory.instance(ENVIRONMENT, tenant, ref))
    return [*answers, await directory.user(ENVIRONMENT, "3"), await directory.user(ENVIRONMENT, "nobody")]


async def test_answers_are_the_same_with_and_without_a_snapshot(core: Core) -> None:
    directory = core.directory
    await directory.put_tenant(SYSTEM, "elsewhere", "Elsewhere")
    await directory.put_instance(
        SYSTEM, ResourceInstance(ResourceRef("restaurants", "7"), "elsewhere", {"name": "Next Door"})
    )
    await directory.assign(SYSTEM, RoleAssignment("3", "parent", "elsewhere"))
    from_the_database = await everything_asked(core)
    await core.pdp.decide(Check(Actor("default", TENANT, "3"), "read", SUSHI))

    assert await everything_asked(core) == from_the_database


async def test_lists_are_in_order_page_by_page_and_of_one_tenant(core: Core) -> None:
    directory, pie = core.directory, ResourceRef("dishes", "7-pie")
    await directory.put_tenant(SYSTEM, "elsewhere", "Elsewhere")
    await directory.put_instance(SYSTEM, ResourceInstance(pie, "elsewhere", {"name": "Pie"}))
    added = ["0", "00", "007", "9", "10", "99999999999999999999", "-x", "1a", "B", "_x", "a", "a1"]
    for key in sorted(added):
        dish = ResourceRef("dishes", key)
        await directory.put_instance(SYSTEM, ResourceInstance(dish, TENANT, {"name": key}))
        await directory.relate(SYSTEM, RelationshipTuple(SUSHI, "restaurant", dish, TENANT))

    pages = [await directory.instances(ENVIRONMENT, TENANT, "dishes", page, 5) for page in (1, 2, 3, 4, 5, 9)]
    listed = [each.ref.key for page in pages for each in page.items]

    assert [key for key in listed if key in added] == added
    assert {page.total for page in pages} == {len(listed)}
    served = [each.ref.key for each in await directory.objects(ENVIRONMENT, TENANT, SUSHI, "restaurant")]
    assert [key for key in served if key in added] == added
    assert [each.ref for each in (await directory.instances(ENVIRONMENT, "elsewhere", "dishes")).items] == [pie]
    with pytest.raises(InvalidInput):
        await directory.instances(ENVIRONMENT, TENANT, "dishes", 0, 5)


async def test_a_role_taken_away_elsewhere_is_gone_from_the_snapshot_too(core_on_each: Core, tmp_path: Path) -> None:
    other = await open_core(family_settings(tmp_path, core_on_each.settings.resolved_database_url), migrate=False)
    child = RoleAssignment("3", "child", TENANT)
    await core_on_each.pdp.decide(Check(Actor("default", TENANT, "3"), "read", SUSHI))
    assert await core_on_each.directory.tenant_roles(ENVIRONMENT, TENANT, "3") == {"child"}
    await other.directory.unassign(other.system, child)
    assert await core_on_each.directory.tenant_roles(ENVIRONMENT, TENANT, "3") == set()
    async with core_on_each.database.transaction() as transaction:
        await core_on_each.directory.assign(core_on_each.system, child, transaction)
        assert await core_on_each.directory.tenant_roles(ENVIRONMENT, TENANT, "3", transaction) == {"child"}
        assert await core_on_each.directory.tenant_roles(ENVIRONMENT, TENANT, "3") == set()
    assert await core_on_each.directory.tenant_roles(ENVIRONMENT, TENANT, "3") == {"child"}
    await other.close()


async def test_the_absent_and_the_foreign_are_not_found(core: Core) -> None:
    directory = core.directory
    await directory.put_tenant(SYSTEM, "elsewhere", "Elsewhere")
    assert await directory.user(ENVIRONMENT, "nobody") is None
    assert await directory.actor(ENVIRONMENT, TENANT, "nobody") is None
    assert await directory.actor(ENVIRONMENT, "nowhere", "3") is None
    assert await directory.instance(ENVIRONMENT, TENANT, ResourceRef("restaurants", "99")) is None
    assert await directory.instance(ENVIRONMENT, "elsewhere", SUSHI) is None
    assert await directory.objects(ENVIRONMENT, "elsewhere", SUSHI, "restaurant") == []
    assert (await directory.instances(ENVIRONMENT, "elsewhere", "restaurants")).total == 0


async def test_a_write_counts_once_raises_the_version_and_is_remembered(core_on_each: Core) -> None:
    core, directory = core_on_each, core_on_each.directory
    attic = ResourceInstance(ResourceRef("restaurants", "5"), TENANT, {"name": "The Attic"})
    soup = ResourceInstance(ResourceRef("dishes", "5-soup"), TENANT, {"name": "Soup", "price_cents": 300})
    link = RelationshipTuple(attic.ref, "restaurant", soup.ref, TENANT)
    writes: list[tuple[str, Callable[[], Awaitable[bool]]]] = [
        ("tenant.put", lambda: directory.put_tenant(Actor("default", "", "1"), TENANT, "Another name")),
        ("user.put", lambda: directory.put_user(Actor("default", "", "1"), User("5", "Ann", email="ann@home"))),
        ("instance.put", lambda: directory.put_instance(Actor("default", "", "1"), attic)),
        ("instance.put", lambda: directory.put_instance(Actor("default", "", "1"), soup)),
        ("relationship.added", lambda: directory.relate(Actor("default", "", "1"), link)),
        ("role.assigned", lambda: directory.assign(Actor("default", "", "1"), HENRY_AT_SUSHI)),
        ("role.unassigned", lambda: directory.unassign(Actor("default", "", "1"), HENRY_AT_SUSHI)),
        ("relationship.removed", lambda: directory.unrelate(Actor("default", "", "1"), link)),
    ]
    for event, write in writes:
        before, last = await version_of(core), (await core.audit.latest("default", limit=1))[0].seq
        assert await write()
        assert not await write()
        assert await version_of(core) == before + 1
        records = await core.audit.records("default", after_seq=last)
        assert [(record.event, record.user) for record in records] == [(event, "1")]
        assert "ann@home" not in str(records)


async def test_a_write_in_a_transaction_that_fails_leaves_nothing(core: Core) -> None:
    before, last = await version_of(core), await core.audit.latest("default", limit=1)

    async def assign_and_fail() -> None:
        async with core.database.transaction() as transaction:
            assert await core.directory.assign(core.system, HENRY_AT_SUSHI, transaction)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await assign_and_fail()
    assert not await holds(core, HENRY_AT_SUSHI)
    assert await version_of(core) == before
    assert await core.audit.latest("default", limit=1) == last


async def write(core: Core, entry: User | ResourceInstance | RoleAssignment | RelationshipTuple) -> None:
    match entry:
        case User():
            await core.directory.put_user(core.system, entry)
        case ResourceInstance():
            await core.directory.put_instance(core.system, entry)
        case RoleAssignment():
            await core.directory.assign(core.system, entry)
        case RelationshipTuple():
            await core.directory.relate(core.system, entry)


RESTAURANT_5 = ResourceRef("restaurants", "5")


@pytest.mark.parametrize(
    ("entry", "error", "code"),
    [
        (User("a b", "Ann"), InvalidInput, "invalid_key"),
        (User("", "Ann"), InvalidInput, "invalid_key"),
        (User("5", "Ann\x00"), InvalidInput, "invalid_name"),
        (User("5", "A" * 201), InvalidInput, "invalid_name"),
        (User("5", "Ann", email="x\n@y"), InvalidInput, "invalid_name"),
        (User("5", "Ann", attributes={"undeclared": 1}), InvalidInput, "invalid_attributes"),
        (ResourceInstance(ResourceRef("castles", "1"), TENANT), InvalidInput, "no_such_resource"),
        (ResourceInstance(ResourceRef("restaurants", "../x"), TENANT), InvalidInput, "invalid_key"),
        (ResourceInstance(ResourceRef("restaurants"), TENANT), InvalidInput, "invalid_key"),
        (ResourceInstance(RESTAURANT_5, TENANT, {"owner": "x"}), InvalidInput, "invalid_attributes"),
        (ResourceInstance(RESTAURANT_5, TENANT, {"name": 7}), InvalidInput, "invalid_attributes"),
        (
            ResourceInstance(ResourceRef("dishes", "x"), TENANT, {"price_cents": float("nan")}),
            InvalidInput,
            "invalid_attributes",
        ),
        (ResourceInstance(RESTAURANT_5, "nowhere"), NotFound, "no_such_tenant"),
        (RoleAssignment("3", "emperor", TENANT), InvalidInput, "no_such_role"),
        (RoleAssignment("3", "child-can-view", TENANT), InvalidInput, "no_such_role"),
        (RoleAssignment("3", "child", TENANT, SUSHI), InvalidInput, "no_such_role"),
        (RoleAssignment("3", "parent", TENANT, ResourceRef("restaurants")), InvalidInput, "invalid_key"),
        (RoleAssignment("nobody", "child", TENANT), NotFound, "no_such_user"),
        (RoleAssignment("3", "child", "nowhere"), NotFound, "no_such_tenant"),
        (RoleAssignment("3", "parent", TENANT, RESTAURANT_5), NotFound, "no_such_instance"),
        (RoleAssignment("3", "parent", "elsewhere", SUSHI), NotFound, "no_such_instance"),
        (RelationshipTuple(SUSHI, "chef", PLATTER, TENANT), InvalidInput, "no_such_relation"),
        (RelationshipTuple(PLATTER, "restaurant", PLATTER, TENANT), InvalidInput, "no_such_relation"),
        (RelationshipTuple(SUSHI, "restaurant", PLATTER, "nowhere"), NotFound, "no_such_tenant"),
        (RelationshipTuple(RESTAURANT_5, "restaurant", PLATTER, TENANT), NotFound, "no_such_instance"),
        (RelationshipTuple(SUSHI, "restaurant", PLATTER, "elsewhere"), NotFound, "no_such_instance"),
    ],
)
async def test_what_the_policy_has_no_word_for_is_refused(
    core: Core,
    entry: User | ResourceInstance | RoleAssignment | RelationshipTuple,
    error: type[UserFacing],
    code: str,
) -> None:
    await core.directory.put_tenant(core.system, "elsewhere", "Elsewhere")
    before = await version_of(core)
    with pytest.raises(error) as caught:
        await write(core, entry)
    assert caught.value.code == code
    assert caught.value.hint
    assert await version_of(core) == before


async def test_an_instance_does_not_change_its_tenant(core: Core) -> None:
    await core.directory.put_tenant(core.system, "elsewhere", "Elsewhere")
    sushi = await core.directory.instance(ENVIRONMENT, TENANT, SUSHI)
    assert sushi is not None
    with pytest.raises(Conflict, match="another tenant"):
        await core.directory.put_instance(core.system, replace(sushi, tenant="elsewhere"))


async def test_loading_twice_is_loading_once(core_on_each: Core) -> None:
    before, last = await version_of(core_on_each), await core_on_each.audit.latest("default", limit=1)
    assert last[0].event == "directory.seeded"
    assert not await core_on_each.directory.load(core_on_each.system, shipped_facts())
    assert await version_of(core_on_each) == before
    assert await core_on_each.audit.latest("default", limit=1) == last


async def test_what_an_operator_took_away_or_changed_does_not_come_back_by_seeding_again(core: Core) -> None:
    cheaper = ResourceInstance(PLATTER, TENANT, {"name": "Sushi Platter", "price_cents": 1})
    await core.directory.unassign(Actor("default", "", "1"), HENRY_AT_PIZZA)
    await core.directory.put_instance(Actor("default", "", "1"), cheaper)
    assert not await core.directory.load(core.system, shipped_facts())
    assert not await holds(core, HENRY_AT_PIZZA)
    assert await core.directory.instance(ENVIRONMENT, TENANT, PLATTER) == cheaper


async def test_what_is_there_before_the_first_seed_stays_as_it_is(core: Core) -> None:
    async with core.database.transaction() as transaction:  # as if it had never been seeded
        await transaction.exec_driver_sql("DELETE FROM seeds")
    cheaper = ResourceInstance(PLATTER, TENANT, {"name": "Sushi Platter", "price_cents": 1})
    await core.directory.put_instance(core.system, cheaper)
    assert await core.directory.load(core.system, shipped_facts())
    assert await core.directory.instance(ENVIRONMENT, TENANT, PLATTER) == cheaper


async def test_a_changed_facts_file_is_not_loaded_again_and_says_so(
    core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    facts = shipped_facts()
    more = replace(facts, assignments=(*facts.assignments, HENRY_AT_SUSHI))
    assert not await core.directory.load(core.system, more)
    assert not await holds(core, HENRY_AT_SUSHI)
    assert "not loaded again" in caplog.text


async def test_facts_of_which_one_is_refused_are_not_loaded_at_all(core: Core) -> None:
    async with core.database.transaction() as transaction:
        await transaction.exec_driver_sql("DELETE FROM seeds")
    facts = shipped_facts()
    new = User("5", "Ann")
    wrong = replace(facts, users=(*facts.users, new), assignments=(RoleAssignment("5", "emperor", TENANT),))
    with pytest.raises(InvalidInput, match="no such role"):
        await core.directory.load(core.system, wrong)
    assert await core.directory.user(ENVIRONMENT, "5") is None
    assert await core.directory.load(core.system, facts)


async def test_a_seed_killed_half_way_leaves_a_database_that_is_still_new(core: Core) -> None:
    async with core.database.transaction() as transaction:
        await transaction.exec_driver_sql("DELETE FROM seeds")
    body = """
        from permit_core.bootstrap import open_core
        from permit_core.entries import User
        from tests.support.core import family_settings
        from pathlib import Path
        core = await open_core(family_settings(Path("."), sys.argv[1]), migrate=False)
        async with core.database.transaction() as transaction:
            await core.directory.put_user(core.system, User("5", "Ann"), transaction)
            print("half way", flush=True)
            sys.stdin.readline()
    """
    process = start_python(body, core.settings.resolved_database_url)
    try:
        assert process.stdout
        assert process.stdout.readline() == "half way\n"
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -9
    assert await core.directory.user(ENVIRONMENT, "5") is None
    assert await core.directory.load(core.system, shipped_facts())
    assert (await core.audit.verify("default")).ok


async def test_whoever_is_removed_loses_every_role_at_the_next_decision_and_it_is_remembered(
    core_on_each: Core, tmp_path: Path
) -> None:
    core = core_on_each
    other = await open_core(family_settings(tmp_path, core.settings.resolved_database_url), migrate=False)
    reads = Check(Actor("default", TENANT, "1"), "read", SUSHI)
    assert (await other.pdp.decide(reads)).allowed
    assert await core.directory.remove_user(core.system, "1")
    assert not await core.directory.remove_user(core.system, "1")
    assert (await other.pdp.decide(reads)).reason_code is ReasonCode.NO_SUCH_USER
    assert await core.directory.put_user(core.system, User("1", "Joe"))
    assert not (await other.pdp.decide(reads)).allowed
    (record,) = await core.audit.records("default", RecordFilter(event="user.removed"))
    assert {"user": "1", "role": "parent", "tenant": TENANT} in record.body["roles"]
    assert (await core.audit.verify("default")).ok
    await other.close()


async def test_an_instance_that_is_removed_takes_its_roles_and_relationships_along(core_on_each: Core) -> None:
    core = core_on_each
    assert await core.directory.assign(core.system, HENRY_AT_SUSHI)
    assert await core.directory.remove_instance(core.system, SUSHI)
    assert not await core.directory.remove_instance(core.system, SUSHI)
    assert not await holds(core, HENRY_AT_SUSHI)
    assert await core.directory.objects(ENVIRONMENT, TENANT, SUSHI, "restaurant") == []
    assert await core.directory.put_instance(core.system, ResourceInstance(SUSHI, TENANT, {"name": "Again"}))
    assert not (await core.pdp.decide(Check(Actor("default", TENANT, "3"), "read", SUSHI))).allowed
    (record,) = await core.audit.records("default", RecordFilter(event="instance.removed"))
    assert "3" in {role["user"] for role in record.body["roles"]}


async def test_a_tenant_that_is_removed_takes_everything_in_it_along_and_no_user(core_on_each: Core) -> None:
    core = core_on_each
    assert await core.directory.remove_tenant(core.system, TENANT)
    assert not await core.directory.remove_tenant(core.system, TENANT)
    decision = await core.pdp.decide(Check(Actor("default", TENANT, "1"), "read", SUSHI))
    assert decision.reason_code is ReasonCode.NO_SUCH_TENANT
    assert await core.directory.put_tenant(core.system, TENANT, "Again")
    assert (await core.directory.instances(ENVIRONMENT, TENANT, "restaurants")).total == 0
    assert await core.directory.tenant_roles(ENVIRONMENT, TENANT, "1") == frozenset()
    assert await core.directory.user(ENVIRONMENT, "1") is not None


async def test_a_role_given_until_a_time_is_given_again_with_another_end(core: Core) -> None:
    end = datetime(2026, 11, 23, tzinfo=UTC)
    given = replace(HENRY_AT_SUSHI, expires_at=end)
    assert await core.directory.assign(core.system, given)
    assert not await core.directory.assign(core.system, given)
    assert await core.directory.assign(core.system, HENRY_AT_SUSHI)
    (first, second) = await core.audit.records("default", RecordFilter(event="role.assigned"))
    assert first.body["expires_at"] == end.isoformat()
    assert "expires_at" not in second.body


def test_the_digest_of_facts_stays_what_databases_have_stored() -> None:
    thing = ResourceInstance(SUSHI, TENANT, {"name": "Sushi", "city": None})
    facts = FactsFile(
        (TenantEntry(key=TENANT, name="Home"),),
        (User("3", "Henry", attributes={"age": 9}), User("4", "Jane")),
        (thing, ResourceInstance(PLATTER, TENANT)),
        (HENRY_AT_SUSHI, replace(HENRY_AT_PIZZA, expires_at=datetime(2026, 1, 2, tzinfo=UTC))),
        (RelationshipTuple(SUSHI, "restaurant", PLATTER, TENANT),),
    )
    assert facts_digest(facts) == "59e693abde1f62a056f2e8fdc8943eb61b2db242223cd6b79f350ed53093341d"

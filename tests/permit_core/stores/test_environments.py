"""Two environments in one database know nothing of each other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from permit_core.access import ResourceRef
from permit_core.database import Database
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.ports.request import Request, RequestFilter, RequestKind, RequestStatus
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore
from permit_core.stores.notices import NoticeStore
from permit_core.stores.remote_requests import Owed, RemoteRequestStore
from permit_core.stores.requests import RequestStore, Reviewed, Subject, Visibility

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUSE, ROOM = ResourceRef("houses", "1"), ResourceRef("rooms", "1")
FACTS, REQUESTS, NOTICES, REMOTE = FactStore(), RequestStore(), NoticeStore(), RemoteRequestStore()
HERE, THERE = "here", "there"
ACCESS = RequestKind.ACCESS_REQUEST


async def fill(database: Database, environment: str, name: str) -> None:
    async with database.transaction(environment) as writing:
        await FACTS.put_tenant(environment, writing, "home", name)
        await FACTS.put_user(environment, writing, User("3", name))
        await FACTS.put_instance(environment, writing, ResourceInstance(HOUSE, "home", {"name": name}))
        await FACTS.put_instance(environment, writing, ResourceInstance(ROOM, "home", {"name": name}))
        await FACTS.put_assignment(environment, writing, RoleAssignment("3", f"role-{environment}", "home"))
        await FACTS.mark_seeded(environment, writing, "facts", name * 8, NOON)
        await FACTS.bump(environment, writing, None, NOON)


@pytest.fixture
async def both(database: Database) -> Database:
    await fill(database, HERE, "Henry")
    await fill(database, THERE, "Thea")
    return database


async def test_facts_of_another_environment_are_not_seen_nor_changed(both: Database) -> None:
    async with both.transaction(THERE) as writing:
        await FACTS.remove(THERE, writing, RoleAssignment("3", f"role-{HERE}", "home"))
        await FACTS.remove(THERE, writing, User("3", "Thea"))
        await FACTS.remove_in_tenant(THERE, writing, "home")
        await FACTS.put_tenant(THERE, writing, "home", "Renamed")
        await FACTS.bump(THERE, writing, None, NOON)
    async with both.reading() as reading:
        assert await FACTS.user(HERE, reading, "3") == User("3", "Henry")
        assert await FACTS.user(THERE, reading, "3") is None
        assert await FACTS.tenant_name(HERE, reading, "home") == "Henry"
        assert await FACTS.instance(HERE, reading, HOUSE) is not None
        assert await FACTS.instance(THERE, reading, HOUSE) is None
        assert await FACTS.seed_digest(HERE, reading, "facts") == "Henry" * 8
        assert await FACTS.seed_digest("nowhere", reading, "facts") is None
        assert (await FACTS.version(HERE, reading)).number == 1
        assert (await FACTS.version(THERE, reading)).number == 2
        assert (await FACTS.version("nowhere", reading)).number == 0
        here = await FACTS.snapshot(HERE, reading)
        assert here.direct_roles("3", "home", None) == ("role-here",)
        assert not (await FACTS.snapshot("nowhere", reading)).users


async def test_each_environment_has_a_snapshot_of_its_own(both: Database) -> None:
    current = CurrentFacts(FACTS, both, lambda: NOON)
    here, there = await current.facts(HERE), await current.facts(THERE)
    assert here.users["3"].first_name == "Henry"
    assert there.users["3"].first_name == "Thea"
    async with both.transaction(THERE) as writing:
        await FACTS.put_user(THERE, writing, User("4", "Rose"))
        await FACTS.bump(THERE, writing, None, NOON)
    assert await current.facts(HERE) is here
    assert "4" in (await current.facts(THERE)).users


def request(environment: str, number: int) -> Request:
    return Request(
        id=f"req_{environment}_{number}", kind=ACCESS, environment=environment, tenant="home", user="3",
        user_name="Henry", resource=HOUSE, resource_name="House", reason="please", status=RequestStatus.PENDING,
        created_at=NOON, role="guest", expires_at=NOON + timedelta(hours=1), review_action="review",
    )  # fmt: skip


async def test_requests_of_another_environment_are_not_found_listed_or_counted(both: Database) -> None:
    mine, theirs = request(HERE, 1), request(THERE, 1)
    subject = Subject.of(mine)
    async with both.transaction(HERE) as writing:
        for each in (mine, theirs):
            await REQUESTS.add(writing, each)  # the same question, once in each
    async with both.reading() as reading:
        assert await REQUESTS.find(HERE, reading, theirs.id) is None
        assert await REQUESTS.get(THERE, reading, ACCESS, mine.id) is None
        assert await REQUESTS.find(THERE, reading, theirs.id) == theirs
        for environment, own in ((HERE, mine), (THERE, theirs)):
            assert await REQUESTS.about(environment, reading, "home", "3", subject, {RequestStatus.PENDING}) == [own]
            assert await REQUESTS.latest(environment, reading, "home", "3", subject) == own
            assert await REQUESTS.pending_count(environment, reading, "home", "3", NOON) == 1
            late = NOON + timedelta(days=1)
            assert await REQUESTS.lapsed(environment, reading, "home", [RequestStatus.PENDING], late, 9) == [own]
            eyes = Visibility("3", [Reviewed.of(own)])
            page = await REQUESTS.page(
                environment, reading, "home", ACCESS, RequestFilter(), eyes, now=NOON, page=1, per_page=9
            )
            assert (page.items, page.total) == ([own], 1)
        assert await REQUESTS.pending_count("nowhere", reading, "home", "3", NOON) == 0


async def test_notices_and_ties_of_another_environment_are_not_seen(both: Database) -> None:
    mine, theirs = request(HERE, 1), request(THERE, 1)
    async with both.transaction(HERE) as writing:
        for each in (mine, theirs):
            await REQUESTS.add(writing, each)
            await NOTICES.add(writing, ["4"], "request_created", each, now=NOON)
            await NOTICES.announce(writing, each.id, NOON)
            await REMOTE.tie(writing, each.id, f"remote-{each.environment}")
            await REMOTE.owe(writing, each.id, Owed.CANCEL)
    async with both.reading() as reading:
        for environment, own, other in ((HERE, mine, theirs), (THERE, theirs, mine)):
            (notice,) = await NOTICES.after(environment, reading, 0, 9)
            assert notice.request == own
            assert await NOTICES.latest_id(environment, reading) == notice.id
            assert [each.request for each in await NOTICES.undelivered(environment, reading, "4", "home")] == [own]
            assert await NOTICES.announced(environment, reading, 9) == [own]
            assert not await NOTICES.was_told(environment, reading, "4", other.id)
            assert await NOTICES.untold(environment, reading, "5", "home") == [own]
            assert [each.request for each in await REMOTE.owing(environment, reading, 9)] == [own]
            assert await REMOTE.of(environment, reading, other.id) is None
    async with both.transaction(HERE) as writing:
        await NOTICES.mark_delivered(HERE, writing, range(99), NOON)
    async with both.reading() as reading:
        assert await NOTICES.undelivered(HERE, reading, "4", "home") == []
        assert len(await NOTICES.undelivered(THERE, reading, "4", "home")) == 1


async def test_a_role_counts_until_its_end_and_not_a_moment_longer(both: Database) -> None:
    now = NOON
    current = CurrentFacts(FACTS, both, lambda: now)
    await current.facts(HERE)
    given = RoleAssignment("3", "guest", "home", HOUSE, NOON + timedelta(hours=1))
    async with both.transaction(HERE) as writing:
        await FACTS.put_assignment(HERE, writing, given)
        await FACTS.put_assignment(HERE, writing, replace(given, role="owner", expires_at=NOON + timedelta(hours=2)))
        await FACTS.bump(HERE, writing, None, NOON)
    read, patched = await current.facts(HERE), CurrentFacts(FACTS, both, lambda: now)
    assert read.direct_roles("3", "home", HOUSE) == ("guest", "owner")
    assert await patched.facts(HERE) == read
    now = NOON + timedelta(hours=1)
    assert current.peek(HERE) is None
    assert (await current.facts(HERE)).direct_roles("3", "home", HOUSE) == ("owner",)
    assert (await CurrentFacts(FACTS, both, lambda: now).facts(HERE)).direct_roles("3", "home", HOUSE) == ("owner",)
    now = NOON + timedelta(hours=3)
    assert (await current.facts(HERE)).direct_roles("3", "home", HOUSE) == ()


async def test_a_changed_fact_is_patched_into_the_snapshot_and_nothing_is_read_again(both: Database) -> None:
    class Counting(FactStore):
        read = 0

        async def stored(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
            self.read += 1
            return await super().stored(*arguments, **named)  # type: ignore[arg-type]

    store = Counting()
    current = CurrentFacts(store, both, lambda: NOON)
    await current.facts(HERE)
    from permit_core.policy.facts import FactChange

    entries: list[FactChange] = [
        FactChange("work"),
        FactChange(User("4", "Rose", attributes={"age": 9})),
        FactChange(ResourceInstance(ResourceRef("houses", "2"), "home", {"name": "Two"})),
        FactChange(RelationshipTuple(HOUSE, "house", ROOM, "home")),
        FactChange(RoleAssignment("4", "guest", "home", HOUSE, NOON + timedelta(hours=1))),
        FactChange(RoleAssignment("3", "role-here", "home"), removed=True),
    ]
    for change in entries:
        async with both.transaction(HERE) as writing:
            entry = change.entry
            if change.removed:
                assert await FACTS.remove(HERE, writing, entry)
            elif isinstance(entry, str):
                await FACTS.put_tenant(HERE, writing, entry, "Work")
            elif isinstance(entry, User):
                await FACTS.put_user(HERE, writing, entry)
            elif isinstance(entry, ResourceInstance):
                await FACTS.put_instance(HERE, writing, entry)
            elif isinstance(entry, RelationshipTuple):
                await FACTS.add_tuple(HERE, writing, entry)
            else:
                await FACTS.put_assignment(HERE, writing, entry)
            await FACTS.bump(HERE, writing, [change], NOON)
        patched = await current.facts(HERE)
        async with both.reading() as reading:
            fresh = await FACTS.snapshot(HERE, reading, NOON)
        assert patched.instances_of("houses", "home") == fresh.instances_of("houses", "home")
        assert replace(patched, by_type={}) == replace(fresh, by_type={})
    assert store.read == 1

"""What is decided, lost or taken away in Permit.io itself, and what is left over there when a process dies here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import aiohttp
import httpx
import pytest
import yaml

from permit_core.access import ResourceRef
from permit_core.approvals import permit_io_adoption
from permit_core.bootstrap import Core, open_core
from permit_core.clock import utc_now
from permit_core.entries import RoleAssignment
from permit_core.identity import Actor
from permit_core.permit_io.client import PermitClient
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.reader import PermitReader
from permit_core.permit_io.requests import RemoteRequest, RemoteRequests
from permit_core.ports.request import RequestFilter, RequestKind, RequestStatus
from permit_core.stores.remote_requests import RemoteRequestStore
from permit_core.stores.requests import RequestStore
from tests.support.clock import SteadyClock
from tests.support.core import ENVIRONMENT, POLICIES, TENANT
from tests.support.databases import PostgresServer
from tests.support.family import ACCESS, DEAR_PIZZA, OPERATION, ROLE, SUSHI_WORLD, Family, meet, refused
from tests.support.permit_io import SeededPermit

APPROVED = "_Approved_"


class CutShort(Exception):
    """The process died."""


@pytest.fixture
def clock() -> SteadyClock:
    """Permit.io's own clock is the machine's."""
    return SteadyClock(utc_now())


@pytest.fixture
async def core(permit_io: SeededPermit, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Core]:
    opened = await permit_io.core(tmp_path, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def remote(core: Core) -> RemoteRequests:
    """Somebody's own hands in Permit.io's dashboard."""
    assert core.permit_io is not None
    return RemoteRequests(core.permit_io, "restaurant-requests", "dish-requests")


async def link_of(family: Family, request_id: str) -> str:
    async with family.core.database.reading() as reading:
        found = await RemoteRequestStore().remote_id(reading, request_id)
    assert found is not None
    return found


async def roles(core: Core, user: str, ref: ResourceRef) -> list[str]:
    assert core.permit_io is not None
    found = await core.permit_io.sdk(
        "roles",
        lambda sdk: sdk.api.role_assignments.list(user_key=user, tenant_key=TENANT, resource_instance_key=str(ref)),
    )
    return [each.role for each in found]


@pytest.mark.parametrize("kind", [ACCESS, OPERATION])
@pytest.mark.parametrize("look", ["list", "get", "approve"])
async def test_what_a_reviewer_decided_in_permit_io_is_decided_here(
    family: Family, remote: RemoteRequests, kind: RequestKind, look: str
) -> None:
    asked = await (family.asks_access() if kind is ACCESS else family.asks_operation())
    await remote.decide(kind, "2", await link_of(family, asked.id), "deny", "not today")
    service = family.core.approvals
    if look == "list":
        await service.list(family.joe, kind, RequestFilter())
    elif look == "get":
        await service.get(family.henry, kind, asked.id)
    else:
        error = await refused(service.approve(family.joe, kind, asked.id))
        assert (error.code, error.details["decided_by"]) == ("already_decided", "Jane")
    stored = await family.stored(asked)
    assert (stored.status, stored.decided_by, stored.comment) == (RequestStatus.DENIED, "2", "not today")
    assert (await family.audited())[-1] == "request.denied"
    assert [each.event for each in await family.core.notices.undelivered(Actor("default", TENANT, "3"))] == [
        "request_decided"
    ]


async def test_an_approval_given_in_permit_io_can_be_used_at_once(family: Family, remote: RemoteRequests) -> None:
    asked = await family.asks_operation()
    await remote.decide(OPERATION, "1", await link_of(family, asked.id), "approve", "")
    dish = await family.instance()
    assert await family.core.approvals.usable(family.henry, "order", dish) is not None
    assert (await family.use()).id == asked.id
    assert await family.audited() == ["request.created", "request.approved", "request.used"]


async def test_an_approval_given_in_permit_io_counts_in_the_order_itself(
    family: Family, remote: RemoteRequests
) -> None:
    asked = await family.asks_operation()
    await remote.decide(OPERATION, "1", await link_of(family, asked.id), "approve", "")
    assert (await family.use()).decided_by == "1"


async def test_an_access_request_made_in_permit_io_is_listed_and_decided_here(
    family: Family, remote: RemoteRequests
) -> None:
    asked = await family.asks_access(family.rose)
    async with family.core.database.transaction() as transaction:
        await transaction.run_sync(lambda connection: connection.exec_driver_sql("DELETE FROM requests"))
    found = (await family.core.approvals.list(family.joe, ACCESS, RequestFilter())).items
    assert [(each.user_name, each.resource, each.role) for each in found] == [("Rose", SUSHI_WORLD, ROLE)]
    assert found[0].id != asked.id
    await family.core.approvals.approve(family.joe, ACCESS, found[0].id)
    assert await family.may(family.rose, "read", SUSHI_WORLD)


async def test_permit_io_gives_the_role_on_the_dish_and_it_is_taken_back_after_use(family: Family) -> None:
    await family.approved()
    assert await roles(family.core, "3", DEAR_PIZZA) == [APPROVED]
    await family.use()
    await family.core.approvals.follow_up()
    assert await roles(family.core, "3", DEAR_PIZZA) == []


async def test_a_role_that_a_dead_process_left_is_taken_back_at_the_next_start(
    permit_io: SeededPermit, family: Family, tmp_path: Path, clock: SteadyClock
) -> None:
    await family.approved()
    await family.use()
    assert await roles(family.core, "3", DEAR_PIZZA) == [APPROVED]
    again = await permit_io.core(tmp_path, clock=clock)
    assert await roles(again, "3", DEAR_PIZZA) == []
    await again.close()
    assert (await family.core.audit.records("default"))[-1].event == "role.unassigned"


async def test_what_is_owed_stays_owed_while_permit_io_is_away(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    await family.approved()
    await family.use()
    away = PermitFault("permit_unreachable", "a test")

    async def unreachable(*_args: object, **_more: object) -> None:
        raise away

    with monkeypatch.context() as patch:
        patch.setattr(PermitClient, "sdk", unreachable)
        await family.core.approvals.follow_up()
    assert await roles(family.core, "3", DEAR_PIZZA) == [APPROVED]
    await family.core.approvals.follow_up()
    assert await roles(family.core, "3", DEAR_PIZZA) == []


async def test_a_lapsed_approval_leaves_no_role_and_a_lapsed_request_cannot_be_approved_in_permit_io(
    family: Family, remote: RemoteRequests
) -> None:
    await family.approved()
    waiting = await family.asks_operation(family.rose)
    family.clock.advance(days=2)
    await family.core.approvals.list(family.joe, OPERATION, RequestFilter())
    await family.core.approvals.follow_up()
    assert await roles(family.core, "3", DEAR_PIZZA) == []
    there = await remote.get(OPERATION, "4", await link_of(family, waiting.id))
    assert there.status == "canceled"


async def test_an_approval_taken_away_in_permit_io_is_worth_nothing_and_can_be_asked_for_again(
    family: Family,
) -> None:
    first = await family.approved()
    assert family.core.permit_io is not None
    gone = RoleAssignment("3", APPROVED, TENANT, DEAR_PIZZA)
    await family.core.directory.unassign(family.core.system, gone)
    error = await refused(family.use())
    assert error.code == "approval_withdrawn"
    assert error.details["ask_for"]
    assert await family.core.approvals.usable(family.henry, "order", await family.instance()) is None
    second = await family.asks_operation()
    assert second.id != first.id
    assert (await family.stored(first)).status is RequestStatus.EXPIRED


async def test_a_request_of_a_process_that_died_is_taken_up_and_not_made_twice(
    family: Family, remote: RemoteRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_args: object) -> None:
        raise CutShort

    with monkeypatch.context() as patch:
        patch.setattr(RemoteRequestStore, "tie", dies)
        with pytest.raises(CutShort):
            await family.asks_operation()
    assert (await family.core.approvals.list(family.henry, OPERATION, RequestFilter())).total == 0
    await family.asks_operation()
    assert len(await remote.pending(OPERATION, "3")) == 1


async def test_a_decision_of_a_process_that_died_is_followed(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = await family.asks_access()
    real = RemoteRequests.decide

    async def dies(self: RemoteRequests, *args: Any) -> None:
        await real(self, *args)
        raise CutShort

    with monkeypatch.context() as patch:
        patch.setattr(RemoteRequests, "decide", dies)
        with pytest.raises(CutShort):
            await family.core.approvals.approve(family.joe, ACCESS, asked.id, "fine")
    assert (await family.stored(asked)).status is RequestStatus.PENDING
    again = await family.core.approvals.approve(family.joe, ACCESS, asked.id, "fine")
    assert (again.status, again.decided_by) == (RequestStatus.APPROVED, "1")
    assert await family.may(family.henry, "read", SUSHI_WORLD)


async def test_while_permit_io_is_away_nothing_is_asked_decided_or_listed(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await family.asks_access()

    async def unreachable(*_args: object, **_more: object) -> None:
        raise PermitFault("permit_unreachable", "a test")

    monkeypatch.setattr(PermitClient, "api", unreachable)
    service = family.core.approvals
    for attempt in (
        family.asks_access(family.rose),
        service.approve(family.joe, ACCESS, asked.id),
        service.deny(family.joe, ACCESS, asked.id),
        service.cancel(family.henry, ACCESS, asked.id),
        service.list(family.joe, ACCESS, RequestFilter()),
    ):
        assert (await refused(attempt)).code == "permit_unreachable"
    assert await family.stored(asked) == asked


@dataclass
class Calls:
    """What is asked of Permit.io, by our own client and by the SDK's."""

    family: Family
    counted: list[str] = field(default_factory=list)

    async def of_a_list(self) -> int:
        self.counted.clear()
        await self.family.core.approvals.list(self.family.joe, ACCESS, RequestFilter())
        return len(self.counted)


@pytest.fixture
def calls(family: Family, monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(family)
    ours, of_the_sdk = httpx.AsyncClient.request, aiohttp.ClientSession._request

    async def counts(self: httpx.AsyncClient, method: str, url: Any, **more: Any) -> httpx.Response:
        calls.counted.append(str(url))
        return await ours(self, method, url, **more)

    async def counts_too(self: aiohttp.ClientSession, method: str, url: Any, **more: Any) -> aiohttp.ClientResponse:
        calls.counted.append(str(url))
        return await of_the_sdk(self, method, url, **more)

    monkeypatch.setattr(httpx.AsyncClient, "request", counts)
    monkeypatch.setattr(aiohttp.ClientSession, "_request", counts_too)
    return calls


async def test_a_list_takes_as_many_calls_however_many_requests_there_are(family: Family, calls: Calls) -> None:
    await family.asks_access()
    one = await calls.of_a_list()
    for who in (family.henry, family.rose):
        await family.asks_access(who, ResourceRef("restaurants", "3"))
    await family.asks_access(family.rose)
    assert await calls.of_a_list() == one
    assert (await family.core.approvals.list(family.joe, ACCESS, RequestFilter())).total == 4


def also_asked_there(monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """Have Permit.io list what waits so many times more. Nothing says that it refuses that, as ``permit-mcp local`` does."""
    real, seen = RemoteRequests.pending, dict[str, RemoteRequest]()

    async def pending(self: RemoteRequests, kind: RequestKind, user: str) -> list[RemoteRequest]:
        found = await real(self, kind, user)
        seen.update({each.id: each for each in found})
        again = [
            (each, str(uuid5(NAMESPACE_OID, f"{each.id} {time}"))) for each in seen.values() for time in range(times)
        ]
        return [*found, *(replace(each, id=ident) for each, ident in again)]

    monkeypatch.setattr(RemoteRequests, "pending", pending)


async def test_what_is_asked_in_permit_io_over_and_over_costs_a_list_nothing(
    family: Family, monkeypatch: pytest.MonkeyPatch, calls: Calls
) -> None:
    await family.asks_access()
    one = await calls.of_a_list()
    also_asked_there(monkeypatch, 30)
    assert await calls.of_a_list() == one + 1  # who that is
    assert await calls.of_a_list() == one
    assert (await family.core.approvals.list(family.joe, ACCESS, RequestFilter())).total == 1


async def test_what_was_asked_in_permit_io_as_well_is_taken_up_when_the_other_is_decided(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await family.asks_access()
    also_asked_there(monkeypatch)
    await family.core.approvals.list(family.joe, ACCESS, RequestFilter())
    await family.core.approvals.deny(family.joe, ACCESS, asked.id, "no")
    found = await family.core.approvals.list(family.joe, ACCESS, RequestFilter(status=RequestStatus.PENDING))
    assert [(each.user, each.resource) for each in found.items] == [("3", SUSHI_WORLD)]


async def test_many_requests_made_in_permit_io_are_taken_up_in_few_calls(
    family: Family, remote: RemoteRequests, calls: Calls
) -> None:
    asked = await family.asks_access()
    await family.core.approvals.cancel(family.henry, ACCESS, asked.id)
    for key in ("1", "2", "3", "4"):
        for who in (family.henry, family.rose):
            await remote.create(replace(asked, user=who.user, resource=ResourceRef("restaurants", key)))
    await calls.of_a_list()
    read = [url for url in calls.counted if "/allowed/" not in url]  # who may review is asked for each that is new
    assert len(read) == 4, read  # the requests, the instances, and two people
    found = await family.core.approvals.list(family.joe, ACCESS, RequestFilter(status=RequestStatus.PENDING))
    assert found.total == 8


@pytest.mark.parametrize(("unknown", "answer"), [("instances", {}), ("person", None)])
async def test_what_cannot_be_taken_up_is_looked_at_once(
    family: Family,
    remote: RemoteRequests,
    monkeypatch: pytest.MonkeyPatch,
    calls: Calls,
    unknown: str,
    answer: dict[ResourceRef, Any] | None,
) -> None:
    asked = await family.asks_access()
    await family.core.approvals.cancel(family.henry, ACCESS, asked.id)
    nothing = await calls.of_a_list()
    await remote.create(asked)

    async def none(*_args: object) -> dict[ResourceRef, Any] | None:
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(PermitReader, unknown, none)
        await calls.of_a_list()
    after = await calls.of_a_list()
    found = await family.core.approvals.list(family.joe, ACCESS, RequestFilter(status=RequestStatus.PENDING))
    assert (after, found.total) == (nothing, 0)


async def test_what_is_asked_for_here_at_the_same_moment_is_not_taken_up_twice(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await family.asks_access()
    also_asked_there(monkeypatch)

    async def nothing_yet(*_args: object) -> list[Any]:
        return []

    with monkeypatch.context() as patch:
        patch.setattr(RequestStore, "about", nothing_yet)
        patch.setattr(permit_io_adoption, "MOST_REMEMBERED", 0)
        found = await family.core.approvals.list(family.joe, ACCESS, RequestFilter())
    assert [each.id for each in found.items] == [asked.id]


async def test_a_role_that_was_granted_for_a_time_or_is_voided_is_taken_back_in_permit_io(
    permit_io: SeededPermit, tmp_path: Path, clock: SteadyClock
) -> None:
    policy = yaml.safe_load((POLICIES / "family_food.yaml").read_text(encoding="utf-8"))
    policy["access_requests"][0]["granted_for"] = "7 days"
    (tmp_path / "policy.yaml").write_text(json.dumps(policy) + "\n...\n", encoding="utf-8")
    core = await permit_io.core(tmp_path, clock=clock, policy_file=str(tmp_path / "policy.yaml"))
    try:
        family = await meet(core, clock)
        for_a_time = await family.asks_access()
        voided = await family.asks_access(family.rose)
        for asked in (for_a_time, voided):
            await core.approvals.approve(family.joe, ACCESS, asked.id)
            assert await roles(core, asked.user, SUSHI_WORLD) == [ROLE]
        await core.approvals.void(family.jane, ACCESS, voided.id, "I thought again")
        assert await roles(core, voided.user, SUSHI_WORLD) == []
        clock.advance(days=6, hours=23)
        await core.approvals.list(family.joe, ACCESS, RequestFilter())
        assert await roles(core, for_a_time.user, SUSHI_WORLD) == [ROLE]
        clock.advance(hours=1)
        await core.approvals.list(family.joe, ACCESS, RequestFilter())
        assert await roles(core, for_a_time.user, SUSHI_WORLD) == []
        assert (await family.stored(for_a_time)).status is RequestStatus.EXPIRED
        assert [record.event for record in await core.audit.records("default")][-2:] == [
            "request.expired",
            "role.unassigned",
        ]
        assert (await family.asks_access()).status is RequestStatus.PENDING
    finally:
        await core.close()


async def test_permit_io_keeps_its_own_word_on_who_may_review(family: Family, core: Core) -> None:
    asked = await family.asks_access()
    await family.gives(family.rose, "parent", SUSHI_WORLD)
    assert (await refused(core.approvals.approve(family.rose, ACCESS, asked.id))).code == "no_such_request"
    async with core.database.reading() as reading:
        assert await RequestStore().get(ENVIRONMENT, reading, ACCESS, asked.id) == asked


async def test_our_ledger_may_be_in_postgresql(
    permit_io: SeededPermit, postgres_server: PostgresServer, tmp_path: Path, clock: SteadyClock
) -> None:
    core = await open_core(permit_io.ours(tmp_path, database_url=postgres_server.new_database()), clock=clock)
    try:
        family = await meet(core, clock)
        access = await family.asks_access()
        await core.approvals.deny(family.jane, ACCESS, access.id, "no")
        await family.approved()
        await family.use()
        await core.approvals.follow_up()
        assert await roles(core, "3", DEAR_PIZZA) == []
        assert (await refused(family.use())).code == "approval_used"
        assert (await core.approvals.list(family.joe, OPERATION, RequestFilter())).total == 1
        assert (await core.audit.verify("default")).ok
    finally:
        await core.close()

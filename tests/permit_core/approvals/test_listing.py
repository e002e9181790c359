"""Everybody sees what they asked and what they may review, and nothing else; pages and totals agree with that."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from permit_core.access import Check, Decision, ResourceRef
from permit_core.approvals.register import SWEEP
from permit_core.database import Transaction
from permit_core.errors import NotFound
from permit_core.identity import Actor
from permit_core.ports.record import RecordFilter
from permit_core.ports.request import Request, RequestFilter, RequestKind, RequestStatus
from permit_core.stores.requests import RequestStore
from permit_core.stores.tables import requests
from tests.support.family import (
    ACCESS,
    DEAR_BURGER,
    DEAR_PIZZA,
    OPERATION,
    REVIEWER,
    ROLE,
    SUSHI_WORLD,
    Family,
    refused,
)

FANCY_FRENCH = ResourceRef("restaurants", "3")


async def listed(
    family: Family, viewer: Actor, kind: RequestKind = ACCESS, *, page: int = 1, per_page: int = 30, **wanted: Any
) -> tuple[list[str], int]:
    """The ids on the page, and the total."""
    found = await family.core.approvals.list(viewer, kind, RequestFilter(**wanted), page, per_page)
    assert (found.page, found.per_page) == (page, per_page)
    return [request.id for request in found.items], found.total


async def four_access_requests(family: Family) -> list[Request]:
    """Henry's and Rose's for two restaurants each, oldest first."""
    made = []
    for who in (family.henry, family.rose):
        for where in (SUSHI_WORLD, FANCY_FRENCH):
            made.append(await family.asks_access(who, where))
            family.clock.advance(minutes=1)
    return made


def ids(requests: Sequence[Request]) -> list[str]:
    return [request.id for request in requests]


async def test_a_reviewer_sees_all_of_them_newest_first(each_family: Family) -> None:
    made = await four_access_requests(each_family)
    assert await listed(each_family, each_family.joe) == (ids(made[::-1]), 4)


async def test_a_child_sees_only_its_own(each_family: Family) -> None:
    made = await four_access_requests(each_family)
    assert await listed(each_family, each_family.henry) == (ids(made[1::-1]), 2)
    assert await listed(each_family, each_family.henry, user="4") == ([], 0)


async def test_a_reviewer_of_one_restaurant_sees_what_is_about_that_one(each_family: Family) -> None:
    family = each_family
    made = await four_access_requests(family)
    await family.takes(family.jane, REVIEWER, FANCY_FRENCH)
    assert await listed(family, family.jane) == ([made[2].id, made[0].id], 2)
    await family.gives(family.rose, REVIEWER, SUSHI_WORLD)
    assert await listed(family, family.rose) == ([made[3].id, made[2].id, made[0].id], 3)


async def test_pages_and_total_count_only_what_the_viewer_sees(each_family: Family) -> None:
    family = each_family
    made = await four_access_requests(family)
    await family.gives(family.rose, REVIEWER, SUSHI_WORLD)
    assert await listed(family, family.rose, page=1, per_page=2) == ([made[3].id, made[2].id], 3)
    assert await listed(family, family.rose, page=2, per_page=2) == ([made[0].id], 3)
    assert await listed(family, family.rose, page=3, per_page=2) == ([], 3)
    assert await listed(family, family.rose, page=2, per_page=1, resource=SUSHI_WORLD) == ([made[0].id], 2)


async def test_each_filter_keeps_what_it_names(each_family: Family) -> None:
    family = each_family
    made = await four_access_requests(family)
    await family.core.approvals.deny(family.joe, ACCESS, made[0].id)
    joe = family.joe
    assert await listed(family, joe, status=RequestStatus.DENIED) == ([made[0].id], 1)
    assert await listed(family, joe, status=RequestStatus.PENDING) == (ids(made[:0:-1]), 3)
    assert await listed(family, joe, user="3") == (ids(made[1::-1]), 2)
    assert await listed(family, joe, resource=SUSHI_WORLD) == ([made[2].id, made[0].id], 2)
    assert await listed(family, joe, resource=ResourceRef("restaurants")) == (ids(made[::-1]), 4)
    assert await listed(family, joe, role=ROLE) == (ids(made[::-1]), 4)
    nothings: list[dict[str, Any]] = [
        {"role": "parent"},
        {"user": "99"},
        {"resource": DEAR_PIZZA},
        {"status": RequestStatus.USED},
    ]
    for nothing in nothings:
        assert await listed(family, joe, **nothing) == ([], 0)
    both = await listed(family, joe, status=RequestStatus.PENDING, user="3", resource=FANCY_FRENCH)
    assert both == ([made[1].id], 1)


async def test_the_approver_filter_keeps_what_that_user_may_review_and_has_not_made(each_family: Family) -> None:
    family = each_family
    made = await four_access_requests(family)
    await family.gives(family.rose, REVIEWER, SUSHI_WORLD)
    assert await listed(family, family.joe, approver="4") == ([made[0].id], 1)
    assert await listed(family, family.henry, approver="4") == ([made[0].id], 1)
    assert await listed(family, family.rose, approver="1") == ([made[3].id, made[2].id, made[0].id], 3)
    assert await listed(family, family.joe, approver="3") == ([], 0)
    assert await listed(family, family.joe, approver="99") == ([], 0)


async def test_the_two_kinds_are_listed_apart(family: Family) -> None:
    access, operation = await family.asks_access(), await family.asks_operation()
    assert await listed(family, family.joe, ACCESS) == ([access.id], 1)
    assert await listed(family, family.joe, OPERATION) == ([operation.id], 1)


async def test_nothing_is_listed_across_tenants(family: Family) -> None:
    await family.asks_access()
    for user in ("1", "3"):
        assert await listed(family, Actor("default", "elsewhere", user, "?")) == ([], 0)


async def test_what_has_lapsed_is_listed_as_expired_and_stored_so(each_family: Family) -> None:
    family = each_family
    operation = await family.asks_operation()
    approved = await family.approved(resource=DEAR_BURGER)
    family.clock.advance(days=1)
    expired = {operation.id, approved.id}
    assert await listed(family, family.joe, OPERATION, status=RequestStatus.PENDING) == ([], 0)
    found, total = await listed(family, family.henry, OPERATION, status=RequestStatus.EXPIRED)
    assert (set(found), total) == (expired, 2)
    assert (await family.stored(operation)).status is RequestStatus.EXPIRED
    assert (await family.audited()).count("request.expired") == 2


async def test_more_lapsed_requests_than_one_transaction_takes_are_all_expired(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("permit_core.approvals.register.SWEEP", 3)
    await four_access_requests(family)
    family.clock.advance(days=8)
    await listed(family, Actor("default", "elsewhere", "1", "Joe"))
    assert await family.core.audit.records("default", RecordFilter(event="request.expired")) == []
    assert (await listed(family, family.joe, status=RequestStatus.PENDING))[1] == 0
    assert (await listed(family, family.joe, status=RequestStatus.EXPIRED))[1] == 4


@pytest.mark.parametrize(("page", "per_page"), [(0, 30), (-1, 30), (1, 0), (1, 101), (10**9, 1)])
async def test_a_page_that_cannot_be_is_refused(family: Family, page: int, per_page: int) -> None:
    assert (await refused(listed(family, family.joe, page=page, per_page=per_page))).code == "invalid_page"


async def test_one_request_is_shown_to_who_made_it_and_who_may_review_it(each_family: Family) -> None:
    family = each_family
    request = await family.asks_access()
    get = family.core.approvals.get
    assert await get(family.henry, ACCESS, request.id) == request
    assert await get(family.joe, ACCESS, request.id) == request
    unseen = await refused(get(family.rose, ACCESS, request.id))
    unknown = await refused(get(family.rose, ACCESS, f"req_{'0' * 32}"))
    assert isinstance(unseen, NotFound)
    assert unseen.as_dict() == unknown.as_dict()
    assert (await refused(get(family.joe, OPERATION, request.id))).code == "no_such_request"
    assert (await refused(get(Actor("default", "elsewhere", "1", "Joe"), ACCESS, request.id))).code == "no_such_request"


async def test_whoever_looks_at_a_request_after_its_time_finds_it_expired(family: Family) -> None:
    request = await family.asks_access()
    family.clock.advance(days=7)
    assert (await family.core.approvals.get(family.henry, ACCESS, request.id)).status is RequestStatus.EXPIRED


async def test_a_long_list_asks_the_decision_point_once_for_each_pair_of_eyes(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    await four_access_requests(family)
    asked: list[int] = []
    decide_many = family.core.pdp.decide_many

    async def counted(checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        asked.append(len(checks))
        return await decide_many(checks, transaction)

    monkeypatch.setattr(family.core.pdp, "decide_many", counted)
    await listed(family, family.joe, approver="2")
    assert asked == [2, 2]  # two restaurants, whoever asked about them


@pytest.mark.parametrize(
    "wanted",
    [
        {"user": "a b"},
        {"approver": "\x00"},
        {"role": "\ud800"},
        {"role": "x" * 101},
        {"resource": ResourceRef("restaurants", "../../x")},
        {"resource": ResourceRef("")},
    ],
)
async def test_what_is_no_key_cannot_be_filtered_by(family: Family, wanted: dict[str, Any]) -> None:
    assert (await refused(listed(family, family.joe, **wanted))).code == "invalid_filter"


async def test_much_that_is_over_is_shown_so_at_once_and_moved_in_portions(family: Family) -> None:
    first, many = await family.asks_access(), 2 * SWEEP + 50
    async with family.core.database.transaction(first.environment) as transaction:
        for number in range(many - 1):
            another = replace(first, id=f"req_{number:032x}", resource=ResourceRef("restaurants", f"r{number}"))
            await RequestStore().add(transaction, another)
    family.clock.advance(days=7)

    async def moved() -> int:
        async with family.core.database.reading() as transaction:
            over = select(func.count()).select_from(requests).where(requests.c.status == "expired")
            return int((await transaction.execute(over)).scalar_one())

    for portion in (SWEEP, 2 * SWEEP, many):
        expired = RequestFilter(status=RequestStatus.EXPIRED)
        listed = await family.core.approvals.list(family.henry, ACCESS, expired, 1, 100)
        assert listed.total == many
        assert {request.status for request in listed.items} == {RequestStatus.EXPIRED}
        assert await moved() == portion
    waiting = await family.core.approvals.list(family.henry, ACCESS, RequestFilter(status=RequestStatus.PENDING))
    assert waiting.total == 0

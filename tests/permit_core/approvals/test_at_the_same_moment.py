"""Several at once, in one process and in two: one wins, the others are told."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from permit_core.approvals.lifecycle import Event
from permit_core.errors import Conflict, Forbidden, UserFacing
from permit_core.ports.request import Request, RequestStatus
from permit_core.stores.requests import RequestStore
from tests.support.family import ACCESS, OPERATION, SUSHI_WORLD, Family, refused


async def all_at_once(*attempts: Awaitable[Any]) -> tuple[list[Request], list[UserFacing]]:
    """What came of attempts that run together: successes, refusals. Anything else is an error of the test."""
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    done = [outcome for outcome in outcomes if isinstance(outcome, Request)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, UserFacing)]
    assert len(done) + len(refusals) == len(attempts), outcomes
    return done, refusals


async def test_of_three_claims_on_one_approval_exactly_one_succeeds(each_family: Family) -> None:
    family = each_family
    approved = await family.approved()
    done, refusals = await all_at_once(family.use(), family.use(), family.use())
    assert [request.id for request in done] == [approved.id]
    assert all(isinstance(error, Forbidden) and error.code == "approval_used" for error in refusals)
    assert (await family.audited()).count("request.used") == 1


async def test_of_two_reviewers_exactly_one_decides_and_the_other_is_told_what(each_family: Family) -> None:
    family = each_family
    request = await family.asks_access()
    approvals = family.core.approvals
    done, refusals = await all_at_once(
        approvals.approve(family.joe, ACCESS, request.id), approvals.deny(family.jane, ACCESS, request.id)
    )
    (decided,), (refusal,) = done, refusals
    assert isinstance(refusal, Conflict)
    assert refusal.code == "already_decided"
    assert refusal.details == {"status": decided.status.value, "decided_by": decided.decided_by_name}
    assert await family.may(family.henry, "read", SUSHI_WORLD) is (decided.status is RequestStatus.APPROVED)
    events = await family.audited()
    assert events.count("request.approved") + events.count("request.denied") == 1


async def test_one_reviewer_pressing_twice_decides_once_and_hears_the_same_twice(each_family: Family) -> None:
    family = each_family
    request = await family.asks_operation()
    approve = family.core.approvals.approve
    done, refusals = await all_at_once(
        approve(family.joe, OPERATION, request.id), approve(family.joe, OPERATION, request.id)
    )
    assert refusals == []
    assert done[0] == done[1]
    assert (await family.audited()).count("request.approved") == 1


async def test_of_two_equal_questions_one_is_entered(each_family: Family) -> None:
    family = each_family
    done, refusals = await all_at_once(family.asks_access(), family.asks_access())
    assert [error.details["request_id"] for error in refusals] == [done[0].id]


async def test_withdrawing_and_approving_do_not_both_happen(each_family: Family) -> None:
    family = each_family
    request = await family.asks_access()
    approvals = family.core.approvals
    done, refusals = await all_at_once(
        approvals.cancel(family.henry, ACCESS, request.id), approvals.approve(family.joe, ACCESS, request.id)
    )
    assert len(done) == len(refusals) == 1
    assert (await family.stored(request)) == done[0]


async def test_two_processes_take_turns_as_two_tasks_do(family: Family, second_process: Family) -> None:
    approved = await family.approved()
    done, _refusals = await all_at_once(family.use(), second_process.use(), family.use(), second_process.use())
    assert [request.id for request in done] == [approved.id]
    request = await family.asks_access()
    done, refusals = await all_at_once(
        family.core.approvals.approve(family.joe, ACCESS, request.id, "yes"),
        second_process.core.approvals.deny(second_process.jane, ACCESS, request.id, "no"),
    )
    assert len(done) == len(refusals) == 1
    assert await second_process.may(family.henry, "read", SUSHI_WORLD) is (done[0].status is RequestStatus.APPROVED)


async def test_without_the_lock_the_status_in_the_row_still_decides(family: Family) -> None:
    """Even if both had read the request as pending: the second write finds another status and is refused."""
    approved = await family.approved()
    register = family.core.approvals._register
    async with family.core.database.transaction() as transaction:
        await register.move(transaction, approved, Event.USE, family.henry, used_at=family.clock())
    with pytest.raises(Conflict) as caught:
        async with family.core.database.transaction() as transaction:
            await register.move(transaction, approved, Event.USE, family.henry, used_at=family.clock())
    assert caught.value.details["status"] == "used"
    assert (await family.audited()).count("request.used") == 1


async def test_without_the_lock_the_table_still_keeps_the_same_from_waiting_twice(each_family: Family) -> None:
    request = await each_family.asks_access()
    twin = replace(request, id=f"req_{'0' * 32}")

    async def enter() -> None:
        async with each_family.core.database.transaction() as transaction:
            await RequestStore().add(transaction, twin)

    assert (await refused(enter())).code == "already_pending"

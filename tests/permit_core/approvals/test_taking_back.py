"""What was given can be taken back, by whom, on record, and at once for everybody."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from permit_core.access import ResourceRef
from permit_core.ports.request import RequestFilter, RequestStatus
from permit_core.views import RequestView
from tests.support.clock import SteadyClock
from tests.support.core import POLICIES, make_core
from tests.support.family import (
    ACCESS,
    DEAR_PIZZA,
    OPERATION,
    PIZZA_PALACE,
    REVIEWER,
    ROLE,
    SUSHI_WORLD,
    Family,
    meet,
    refused,
)


async def test_a_reviewer_takes_back_a_yes_that_is_not_used(each_family: Family) -> None:
    family, approvals = each_family, each_family.core.approvals
    approved = await family.approved()
    voided = await approvals.void(family.jane, OPERATION, approved.id, "I thought again")
    assert (voided.status, voided.comment) == (RequestStatus.VOIDED, "I thought again")
    assert await family.stored(approved) == voided
    assert (await refused(family.use())).code == "approval_voided"
    assert (await family.audited())[-1] == "request.voided"
    assert (await family.asks_operation()).status is RequestStatus.PENDING


async def test_who_asked_gives_a_yes_back(family: Family) -> None:
    approved = await family.approved()
    voided = await family.core.approvals.void(family.henry, OPERATION, approved.id)
    assert voided.status is RequestStatus.VOIDED
    assert voided.comment == approved.comment


async def test_a_yes_is_taken_back_for_every_process(family: Family, second_process: Family) -> None:
    approved = await family.approved()
    await family.core.approvals.void(family.joe, OPERATION, approved.id)
    assert (await refused(second_process.use())).code == "approval_voided"


async def test_a_yes_that_is_used_or_over_or_not_given_cannot_be_taken_back(family: Family) -> None:
    approvals = family.core.approvals
    waiting = await family.asks_access()
    error = await refused(approvals.void(family.joe, ACCESS, waiting.id))
    assert (error.code, error.details["status"]) == ("not_approved", "pending")
    used = await family.approved()
    await family.use()
    assert (await refused(approvals.void(family.joe, OPERATION, used.id))).code == "already_decided"
    late = await family.approved()
    family.clock.advance(hours=1)
    assert (await refused(approvals.void(family.joe, OPERATION, late.id))).code == "already_decided"
    assert (await family.stored(late)).status is RequestStatus.EXPIRED


async def test_a_stranger_cannot_take_back_what_they_may_not_see(family: Family) -> None:
    approved = await family.approved()
    for request in (approved.id, f"req_{'0' * 32}"):
        error = await refused(family.core.approvals.void(family.rose, OPERATION, request))
        assert error.code == "no_such_request"
    assert await family.stored(approved) == approved


async def test_with_a_granted_request_goes_its_role(each_family: Family) -> None:
    family = each_family
    asked = await family.asks_access()
    await family.core.approvals.approve(family.joe, ACCESS, asked.id)
    assert await family.may(family.henry, "read", SUSHI_WORLD)
    await family.core.approvals.void(family.jane, ACCESS, asked.id)
    assert not await family.may(family.henry, "read", SUSHI_WORLD)
    assert (await family.audited("role."))[-1] == "role.unassigned"


async def test_a_role_is_revoked_however_it_was_given(family: Family, second_process: Family) -> None:
    approvals = family.core.approvals
    assert await second_process.may(family.henry, "read", PIZZA_PALACE)
    assert await approvals.revoke_role(family.joe, "3", ROLE, PIZZA_PALACE, "Enough pizza")
    assert not await second_process.may(family.henry, "read", PIZZA_PALACE)
    assert not await approvals.revoke_role(family.joe, "3", ROLE, PIZZA_PALACE)
    asked = await family.asks_access()
    await approvals.approve(family.joe, ACCESS, asked.id)
    assert await approvals.revoke_role(family.jane, "3", ROLE, SUSHI_WORLD, "Enough fish")
    voided = await family.stored(asked)
    assert (voided.status, voided.comment) == (RequestStatus.VOIDED, "Enough fish")
    assert (await family.asks_access()).status is RequestStatus.PENDING


@pytest.mark.parametrize("who", ["henry", "rose"])
async def test_who_may_not_decide_on_a_role_does_not_revoke_it(family: Family, who: str) -> None:
    error = await refused(family.core.approvals.revoke_role(getattr(family, who), "3", ROLE, PIZZA_PALACE))
    assert error.code == "not_a_reviewer"
    error = await refused(family.core.approvals.revoke_role(family.joe, "3", REVIEWER, ResourceRef("dishes", "1")))
    assert error.code == "not_a_reviewer"
    assert await family.may(family.henry, "read", PIZZA_PALACE)


async def test_who_asked_looks_at_it_whatever_its_kind(each_family: Family) -> None:
    family, approvals = each_family, each_family.core.approvals
    asked = await family.asks_operation()
    assert await approvals.get(family.henry, None, asked.id) == asked
    assert await approvals.get(family.joe, None, asked.id) == asked
    assert (await refused(approvals.get(family.rose, None, asked.id))).code == "no_such_request"
    assert (await refused(approvals.get(family.henry, ACCESS, asked.id))).code == "no_such_request"


async def test_waiting_ends_with_the_decision_made_here(family: Family) -> None:
    approvals = family.core.approvals
    asked = await family.asks_operation()
    waiting = asyncio.create_task(approvals.wait(family.henry, asked.id, 20))
    await asyncio.sleep(0)
    decided = await approvals.approve(family.joe, OPERATION, asked.id)
    assert await asyncio.wait_for(waiting, 5) == decided


async def test_waiting_ends_with_the_decision_of_another_process(family: Family, second_process: Family) -> None:
    asked = await family.asks_operation()
    waiting = asyncio.create_task(family.core.approvals.wait(family.henry, asked.id, 20))
    await asyncio.sleep(0)
    decided = await second_process.core.approvals.deny(family.joe, OPERATION, asked.id, "No")
    assert await asyncio.wait_for(waiting, 5) == decided


async def test_waiting_ends_in_time_and_with_the_end_of_the_question(family: Family) -> None:
    approvals = family.core.approvals
    asked = await family.asks_operation()
    assert await approvals.wait(family.henry, asked.id, 0) == asked
    assert await approvals.wait(family.henry, asked.id, 0.01) == asked
    family.clock.advance(days=1)
    assert (await approvals.wait(family.henry, asked.id, 20)).status is RequestStatus.EXPIRED


@pytest.mark.parametrize("seconds", [-1, 20.1, float("nan")])
async def test_nobody_waits_for_ever(family: Family, seconds: float) -> None:
    asked = await family.asks_operation()
    assert (await refused(family.core.approvals.wait(family.henry, asked.id, seconds))).code == "invalid_wait"


async def test_operation_approvals_are_listed_by_the_role_they_were_asked_in(each_family: Family) -> None:
    family, approvals = each_family, each_family.core.approvals
    asked = await family.asks_operation()
    assert asked.asked_as == ROLE
    assert (await approvals.list(family.joe, OPERATION, RequestFilter(role=ROLE))).items == [asked]
    assert (await approvals.list(family.joe, OPERATION, RequestFilter(role=REVIEWER))).items == []
    assert asked.resource == DEAR_PIZZA


async def test_a_role_that_is_granted_for_a_time_ends_at_the_very_second_everywhere(
    tmp_path: Path, clock: SteadyClock
) -> None:
    policy = yaml.safe_load((POLICIES / "family_food.yaml").read_text(encoding="utf-8"))
    policy["access_requests"][0]["granted_for"] = "7 days"
    policy_file = tmp_path / "policy.yaml"
    policy_file.write_text(json.dumps(policy) + "\n...\n", encoding="utf-8")
    first = await make_core(tmp_path, clock=clock, policy_file=str(policy_file))
    second = await make_core(tmp_path, clock=clock, facts=False, policy_file=str(policy_file))
    try:
        family, other = await meet(first, clock), await meet(second, clock)
        asked = await family.asks_access()
        assert RequestView.of(asked).yes_lasts == "7 days"
        approved = await first.approvals.approve(family.joe, ACCESS, asked.id)
        assert approved.expires_at == clock() + timedelta(days=7)
        clock.advance(days=6, hours=23, minutes=59, seconds=59)
        assert await family.may(family.henry, "read", SUSHI_WORLD)
        assert await other.may(family.henry, "read", SUSHI_WORLD)
        clock.advance(seconds=1)
        assert not await other.may(family.henry, "read", SUSHI_WORLD)
        assert not await family.may(family.henry, "read", SUSHI_WORLD)
        assert (await first.approvals.get(family.henry, None, asked.id)).status is RequestStatus.EXPIRED
        assert (await family.asks_access()).status is RequestStatus.PENDING
    finally:
        await second.close()
        await first.close()

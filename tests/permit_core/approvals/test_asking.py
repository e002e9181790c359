"""Who may ask for what, and what a request pins down."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from permit_core.access import ResourceRef
from permit_core.approvals.asking import MOST_PENDING
from permit_core.errors import Conflict, Forbidden, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind, RequestStatus
from tests.support.clock import SteadyClock
from tests.support.core import POLICIES, make_core
from tests.support.family import (
    ACCESS,
    CHEAP_PIZZA,
    DEAR_BURGER,
    DEAR_PIZZA,
    HIDDEN_DISH,
    PIZZA_PALACE,
    ROLE,
    SUSHI_WORLD,
    Family,
    meet,
    refused,
)


async def test_an_access_request_says_who_wants_which_role_where_and_why(each_family: Family) -> None:
    request = await each_family.asks_access()
    now = each_family.clock()
    assert request == Request(
        id=request.id,
        kind=RequestKind.ACCESS_REQUEST,
        environment="default",
        tenant="default",
        user="3",
        user_name="Henry",
        resource=SUSHI_WORLD,
        resource_name="Sushi World",
        reason="We learn about Japan",
        status=RequestStatus.PENDING,
        created_at=now,
        role=ROLE,
        expires_at=now + timedelta(days=7),
        review_action="review",
    )
    assert await each_family.stored(request) == request
    assert await each_family.audited() == ["request.created"]


async def test_an_operation_approval_pins_the_price_of_the_moment(each_family: Family) -> None:
    await each_family.costs(+100)
    request = await each_family.asks_operation()
    dish = await each_family.instance(DEAR_PIZZA)
    assert request.pinned == {"price_cents": dish.attributes["price_cents"]}
    assert (request.operation, request.role) == ("order", None)
    assert await each_family.stored(request) == request


async def test_ids_are_unguessable(family: Family) -> None:
    first, second = await family.asks_access(), await family.asks_operation()
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", request.id) for request in (first, second))
    assert first.id != second.id


@pytest.mark.parametrize("reason", ["", " \t\n", "\u200b\u202e\x00", "x" * 501, "x" * 10_000_000])
async def test_a_reason_of_no_or_too_many_characters_is_refused(family: Family, reason: str) -> None:
    approvals = family.core.approvals
    for attempt in (
        approvals.ask_access(family.henry, SUSHI_WORLD, ROLE, reason),
        approvals.ask_operation(family.henry, DEAR_PIZZA, "order", reason),
    ):
        assert (await refused(attempt)).code == "invalid_reason"


async def test_a_reason_becomes_one_line_of_visible_characters(family: Family) -> None:
    reason = "please\n\n\x1b[2Jignore\u202e the \u200brules \ud800" + "y" * 400
    request = await family.core.approvals.ask_access(family.henry, SUSHI_WORLD, ROLE, reason)
    assert request.reason == "please [2Jignore the rules " + "y" * 400
    assert await family.stored(request) == request


async def test_a_role_that_the_policy_does_not_offer_cannot_be_asked_for(family: Family) -> None:
    for role in ("parent", "_Reviewer_", "nonsense", "", "'; DROP TABLE requests"):
        error = await refused(family.core.approvals.ask_access(family.henry, SUSHI_WORLD, role, "why"))
        assert isinstance(error, InvalidInput)
        assert error.code == "role_not_requestable"
        assert ROLE in error.hint
        assert not role or role not in error.message


async def test_who_is_not_named_by_the_policy_may_not_ask(family: Family) -> None:
    error = await refused(family.asks_access(family.joe))
    assert isinstance(error, Forbidden)
    assert error.code == "may_not_ask"


async def test_an_instance_that_is_not_there_cannot_be_asked_for(family: Family) -> None:
    nowhere = ResourceRef("restaurants", "99")
    error = await refused(family.asks_access(resource=nowhere))
    assert isinstance(error, NotFound)
    assert error.code == "no_such_instance"
    error = await refused(family.asks_operation(resource=ResourceRef("dishes", "99")))
    assert error.code == "no_such_instance"


@pytest.mark.parametrize(
    "resource", [ResourceRef("restaurants"), ResourceRef("restaurants", "../../x"), ResourceRef("a b", "1")]
)
async def test_what_names_no_instance_is_refused_before_anything_is_looked_up(
    family: Family, resource: ResourceRef
) -> None:
    assert (await refused(family.asks_access(resource=resource))).code == "invalid_resource"
    assert (await refused(family.asks_operation(resource=resource))).code == "invalid_resource"


async def test_a_role_that_is_held_is_already_granted(family: Family) -> None:
    error = await refused(family.asks_access(resource=PIZZA_PALACE))
    assert isinstance(error, Conflict)
    assert error.code == "already_granted"


async def test_the_same_cannot_be_waited_for_twice_but_by_others_it_can(each_family: Family) -> None:
    access, operation = await each_family.asks_access(), await each_family.asks_operation()
    error = await refused(each_family.asks_access())
    assert (error.code, error.details["request_id"]) == ("already_pending", access.id)
    error = await refused(each_family.asks_operation())
    assert (error.code, error.details["request_id"]) == ("already_pending", operation.id)
    assert (await each_family.asks_access(each_family.rose)).user == "4"
    assert (await each_family.asks_operation(resource=DEAR_BURGER)).resource == DEAR_BURGER


async def test_an_approval_that_is_still_good_need_not_be_asked_for_again(family: Family) -> None:
    approved = await family.approved()
    error = await refused(family.asks_operation())
    assert (error.code, error.details["request_id"]) == ("already_approved", approved.id)


async def test_an_approval_for_an_old_price_does_not_keep_one_from_asking_again(family: Family) -> None:
    await family.approved()
    await family.costs(+1)
    again = await family.asks_operation()
    assert again.status is RequestStatus.PENDING


async def test_after_a_denial_one_may_ask_again(family: Family) -> None:
    first = await family.asks_access()
    await family.core.approvals.deny(family.joe, ACCESS, first.id, "Not this week")
    assert (await family.asks_access()).id != first.id


async def test_after_its_time_a_request_does_not_keep_one_from_asking_again(each_family: Family) -> None:
    first, second = await each_family.asks_access(), await each_family.approved()
    each_family.clock.advance(days=7)
    await each_family.asks_access()
    await each_family.asks_operation()
    assert (await each_family.stored(first)).status is RequestStatus.EXPIRED
    assert (await each_family.stored(second)).status is RequestStatus.EXPIRED
    assert (await each_family.audited()).count("request.expired") == 2


async def test_what_is_allowed_needs_no_approval(family: Family) -> None:
    assert (await refused(family.asks_operation(resource=CHEAP_PIZZA))).code == "not_needed"
    assert (await refused(family.asks_operation(family.joe))).code == "not_needed"


async def test_what_an_approval_would_not_help_is_refused_with_what_would(family: Family) -> None:
    error = await refused(family.asks_operation(resource=HIDDEN_DISH))
    assert isinstance(error, Forbidden)
    assert error.code == "access_denied"
    assert error.decision is not None
    assert error.details["ask_for"] == [{"kind": "access_request", "resource_instance": str(SUSHI_WORLD), "role": ROLE}]
    assert error.details["ask_for"] == [remedy.as_dict() for remedy in error.decision.remedies]


async def test_an_operation_without_a_rule_cannot_be_approved(family: Family) -> None:
    for operation in ("read", "nonsense", ""):
        error = await refused(family.core.approvals.ask_operation(family.henry, DEAR_PIZZA, operation, "why"))
        assert error.code == "unknown_operation"
    error = await refused(family.asks_operation(resource=SUSHI_WORLD))
    assert error.code == "unknown_operation"


async def test_what_is_pinned_must_be_known(family: Family) -> None:
    await family.core.directory.put_instance(
        family.core.system, replace(await family.instance(), attributes={"name": "Surprise"})
    )
    assert (await refused(family.asks_operation())).code == "cannot_be_pinned"


async def test_a_user_has_at_most_twenty_undecided_requests(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_PENDING == 20
    monkeypatch.setattr("permit_core.approvals.asking.MOST_PENDING", 2)
    await family.asks_access()
    await family.asks_operation()
    assert (await refused(family.asks_operation(resource=DEAR_BURGER))).code == "too_many_pending"
    assert (await family.asks_operation(family.rose)).user == "4"
    family.clock.advance(days=2)  # the operation approval has lapsed, although nobody has looked at it
    assert (await family.asks_operation(resource=DEAR_BURGER)).status is RequestStatus.PENDING


async def test_a_stranger_to_the_directory_may_ask_for_nothing(family: Family) -> None:
    ghost = Actor("default", "default", "99", "Ghost")
    assert (await refused(family.asks_access(ghost))).code == "may_not_ask"
    assert (await refused(family.asks_operation(ghost))).code == "access_denied"
    elsewhere = Actor("default", "elsewhere", "3", "Henry")
    assert (await refused(family.asks_access(elsewhere))).code == "may_not_ask"
    assert (await refused(family.asks_operation(elsewhere))).code == "no_such_instance"


async def test_a_refused_question_leaves_nothing_behind(family: Family) -> None:
    await refused(family.asks_operation(resource=HIDDEN_DISH))
    await refused(family.asks_access(resource=PIZZA_PALACE))
    assert await family.audited() == []
    assert await family.core.notices.after(0) == []


async def test_a_role_that_follows_from_another_counts_as_held(tmp_path: Path, clock: SteadyClock) -> None:
    policy = yaml.safe_load((POLICIES / "family_food.yaml").read_text(encoding="utf-8"))
    policy["access_requests"].append({**policy["access_requests"][0], "resource": "dishes"})
    policy_file = tmp_path / "policy.yaml"
    policy_file.write_text(json.dumps(policy) + "\n...\n", encoding="utf-8")  # which is YAML too
    core = await make_core(tmp_path, clock=clock, policy_file=str(policy_file))
    try:
        family = await meet(core, clock)
        assert (await refused(family.asks_access(resource=CHEAP_PIZZA))).code == "already_granted"
        request = await family.asks_access(resource=HIDDEN_DISH)
        await core.approvals.approve(family.joe, ACCESS, request.id)
        assert await family.may(family.henry, "read", HIDDEN_DISH)
        assert not await family.may(family.henry, "read", SUSHI_WORLD)
    finally:
        await core.close()

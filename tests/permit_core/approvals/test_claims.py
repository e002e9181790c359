"""An approval is used once, by its asker, for what was approved, in its time."""

from dataclasses import replace

import pytest

from permit_core.access import Check
from permit_core.approvals.claims import holds
from permit_core.errors import Forbidden
from permit_core.identity import Actor
from permit_core.ports.request import RequestStatus
from tests.support.family import (
    CHEAP_PIZZA,
    DEAR_BURGER,
    DEAR_PIZZA,
    NEEDED,
    OPERATION,
    PIZZA_PALACE,
    ROLE,
    Family,
    refused,
)


async def test_an_approval_is_used_once(each_family: Family) -> None:
    family = each_family
    approved = await family.approved()
    used = await family.use()
    assert used == replace(approved, status=RequestStatus.USED, used_at=family.clock())
    assert await family.stored(approved) == used
    error = await refused(family.use())
    assert isinstance(error, Forbidden)
    assert error.code == "approval_used"
    assert await family.audited() == ["request.created", "request.approved", "request.used"]


async def test_without_a_request_the_refusal_says_what_to_ask_for(family: Family) -> None:
    error = await refused(family.use())
    assert error.code == "approval_needed"
    assert error.details["ask_for"] == [
        {"kind": "operation_approval", "resource_instance": str(DEAR_PIZZA), "operation": "order"}
    ]
    await family.core.approvals.ask_operation(family.henry, DEAR_PIZZA, "order", "exactly these arguments")


async def test_an_undecided_request_cannot_be_used_and_asking_again_would_not_help(family: Family) -> None:
    request = await family.asks_operation()
    error = await refused(family.use())
    assert (error.code, error.details) == ("approval_pending", {"request_id": request.id})


async def test_a_denied_request_cannot_be_used(family: Family) -> None:
    request = await family.asks_operation()
    await family.core.approvals.deny(family.joe, OPERATION, request.id)
    error = await refused(family.use())
    assert error.code == "approval_denied"
    assert error.details["ask_for"]


async def test_a_withdrawn_request_is_as_if_nothing_had_been_asked(family: Family) -> None:
    request = await family.asks_operation()
    await family.core.approvals.cancel(family.henry, OPERATION, request.id)
    assert (await refused(family.use())).code == "approval_needed"


async def test_an_approval_is_for_one_dish_and_one_person(family: Family) -> None:
    await family.approved()
    assert (await refused(family.use(ref=DEAR_BURGER))).code == "approval_needed"
    assert (await refused(family.use(ref=CHEAP_PIZZA))).code == "approval_needed"
    assert (await refused(family.use(family.rose))).code == "approval_needed"
    assert (await refused(family.use(Actor("default", "elsewhere", "3", "Henry")))).code == "approval_needed"
    assert (await family.use()).status is RequestStatus.USED


async def test_what_one_agent_of_a_person_asked_for_is_for_no_other_agent(family: Family) -> None:
    mine, other = replace(family.henry, agent="mine"), replace(family.henry, agent="other")
    request = await family.core.approvals.ask_operation(mine, DEAR_PIZZA, "order", "please")
    await family.core.approvals.approve(family.joe, OPERATION, request.id)
    assert (await refused(family.use(other))).code == "approval_needed"
    assert (await family.stored(request)).status is RequestStatus.APPROVED
    assert (await family.use(mine)).status is RequestStatus.USED


async def test_an_approval_is_for_one_operation(family: Family) -> None:
    await family.approved()
    assert (await refused(family.use(operation="read"))).code == "approval_needed"


@pytest.mark.parametrize("difference", [0, -1, -500])
async def test_at_the_approved_price_or_a_lower_one_the_approval_holds(family: Family, difference: int) -> None:
    approved = await family.approved()
    await family.costs(difference)
    assert (await family.use()).id == approved.id


async def test_at_a_higher_price_it_does_not_and_asking_again_helps(each_family: Family) -> None:
    family = each_family
    await family.approved()
    await family.costs(+1)
    error = await refused(family.use())
    assert error.code == "approval_mismatch"
    assert error.details["ask_for"]
    again = await family.asks_operation()
    assert (await refused(family.use())).code == "approval_pending"
    await family.core.approvals.approve(family.jane, OPERATION, again.id)
    assert (await family.use()).id == again.id


@pytest.mark.parametrize("attributes", [{}, {"price_cents": None}, {"price_cents": "1"}, {"price_cents": True}])
async def test_a_price_that_cannot_be_compared_is_a_mismatch(family: Family, attributes: dict[str, object]) -> None:
    await family.approved()
    assert (await refused(family.use(attributes=attributes))).code == "approval_mismatch"


async def test_what_the_policy_pins_since_was_not_approved(family: Family) -> None:
    rule = family.core.model.operation_rule("order", "dishes")
    assert rule is not None
    request, dish = await family.approved(), await family.instance()
    stricter = rule.model_copy(update={"pinned": {**rule.pinned, "name": "equals"}})
    laxer = rule.model_copy(update={"pinned": {}})
    cheaper = replace(dish, attributes={**dish.attributes, "price_cents": 1})
    assert holds(rule, request, dish)
    assert holds(rule, request, cheaper)
    assert not holds(stricter, request, dish)
    assert holds(laxer, request, dish)
    assert not holds(laxer, request, cheaper)


async def test_a_lapsed_approval_is_refused_and_whoever_looks_next_sees_it_expired(each_family: Family) -> None:
    family = each_family
    request = await family.approved()
    family.clock.advance(hours=1)
    error = await refused(family.use())
    assert error.code == "approval_expired"
    assert error.details["ask_for"]
    assert (await family.core.approvals.get(family.henry, OPERATION, request.id)).status is RequestStatus.EXPIRED
    assert (await family.stored(request)).status is RequestStatus.EXPIRED
    assert (await family.audited())[-1] == "request.expired"
    assert (await refused(family.use())).code == "approval_expired"


async def test_a_request_that_lapsed_undecided_says_so(family: Family) -> None:
    await family.asks_operation()
    family.clock.advance(days=1)
    error = await refused(family.use())
    assert error.code == "approval_expired"
    assert "before anybody decided" in error.message


async def test_when_the_order_fails_the_approval_is_not_used(each_family: Family) -> None:
    family = each_family
    approved = await family.approved()
    dish = await family.instance()

    async def order_and_fail() -> None:
        async with family.core.database.transaction() as transaction:
            check = Check(family.henry, "order", dish.ref)
            await family.core.approvals.use(check, NEEDED, dish, transaction)
            raise RuntimeError("the kitchen is closed")

    with pytest.raises(RuntimeError):
        await order_and_fail()
    assert await family.stored(approved) == approved
    assert (await family.audited())[-1] == "request.approved"
    assert (await family.use()).id == approved.id


async def test_usable_answers_what_use_would_take_and_takes_nothing(each_family: Family) -> None:
    family = each_family
    dish = await family.instance()
    usable = family.core.approvals.usable
    assert await usable(family.henry, "order", dish) is None
    approved = await family.approved()
    assert await usable(family.henry, "order", dish) == approved
    assert await usable(family.rose, "order", dish) is None
    async with family.core.database.transaction() as transaction:
        assert await usable(family.henry, "order", dish, transaction) == approved
    dearer = replace(dish, attributes={**dish.attributes, "price_cents": 99_999})
    assert await usable(family.henry, "order", dearer) is None
    family.clock.advance(hours=1)
    assert await usable(family.henry, "order", dish) is None


async def test_an_approval_never_stands_against_a_no(each_family: Family) -> None:
    family = each_family
    await family.approved()
    await family.takes(family.henry, ROLE, PIZZA_PALACE)
    check = Check(family.henry, "order", DEAR_PIZZA)
    async with family.core.database.transaction() as transaction:
        decision = await family.core.pdp.decide(check, transaction)
        dish = await family.instance()
        error = await refused(family.core.approvals.use(check, decision, dish, transaction))
    assert (error.code, error.details["ask_for"][0]["role"]) == ("access_denied", ROLE)


async def test_what_is_allowed_uses_up_no_approval(family: Family) -> None:
    approved = await family.approved()
    check = Check(family.joe, "review", DEAR_PIZZA)
    async with family.core.database.transaction() as transaction:
        decision = await family.core.pdp.decide(check, transaction)
        error = await refused(family.core.approvals.use(check, decision, await family.instance(), transaction))
    assert error.code == "not_needed"
    assert await family.stored(approved) == approved


async def test_a_decision_on_one_dish_serves_for_no_other(family: Family) -> None:
    await family.approved()
    async with family.core.database.transaction() as transaction:
        with pytest.raises(ValueError, match="decided on dishes:2-deluxe-burger"):
            await family.core.approvals.use(
                Check(family.henry, "order", DEAR_BURGER), NEEDED, await family.instance(), transaction
            )


async def test_one_approval_can_be_named_and_then_no_other_serves(family: Family) -> None:
    first = await family.approved()
    check = Check(family.henry, "order", DEAR_PIZZA)
    dish = await family.instance()
    async with family.core.database.transaction() as transaction:
        use = family.core.approvals.use(check, NEEDED, dish, transaction, request_id=f"req_{'0' * 32}")
        assert (await refused(use)).code == "approval_needed"
    async with family.core.database.transaction() as transaction:
        used = await family.core.approvals.use(check, NEEDED, dish, transaction, request_id=first.id)
    assert used.id == first.id

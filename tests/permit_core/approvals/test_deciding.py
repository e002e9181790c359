"""Who may decide, what a decision does, and that it stands."""

from dataclasses import replace
from datetime import timedelta

import pytest

from permit_core.errors import Conflict, Forbidden, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.ports.request import RequestStatus
from permit_core.stores.requests import Subject
from tests.support.family import (
    ACCESS,
    DEAR_PIZZA,
    HIDDEN_DISH,
    OPERATION,
    PIZZA_PALACE,
    REVIEWER,
    SUSHI_WORLD,
    Family,
    refused,
)


async def test_an_approved_access_request_opens_the_door_at_the_next_check(each_family: Family) -> None:
    family = each_family
    request = await family.asks_access()
    assert not await family.may(family.henry, "read", SUSHI_WORLD)
    decided = await family.core.approvals.approve(family.joe, ACCESS, request.id, "  Have\nfun ")
    assert decided == replace(
        request,
        status=RequestStatus.APPROVED,
        expires_at=None,
        decided_by="1",
        decided_by_name="Joe",
        decided_at=family.clock(),
        comment="Have fun",
    )
    assert await family.stored(request) == decided
    assert await family.may(family.henry, "read", SUSHI_WORLD)
    assert await family.may(family.henry, "read", HIDDEN_DISH)
    assert not await family.may(family.rose, "read", SUSHI_WORLD)
    assert (await family.audited(""))[-2:] == ["request.approved", "role.assigned"]


async def test_a_denied_access_request_changes_nothing_but_itself(each_family: Family) -> None:
    family = each_family
    request = await family.asks_access()
    decided = await family.core.approvals.deny(family.jane, ACCESS, request.id, "Too far")
    assert (decided.status, decided.decided_by_name, decided.comment) == (RequestStatus.DENIED, "Jane", "Too far")
    assert not await family.may(family.henry, "read", SUSHI_WORLD)
    assert await family.audited() == ["request.created", "request.denied"]


async def test_an_operation_approval_lasts_as_long_as_the_policy_says(family: Family) -> None:
    request = await family.asks_operation()
    assert request.expires_at == family.clock() + timedelta(days=1)
    family.clock.advance(hours=2)
    decided = await family.core.approvals.approve(family.joe, OPERATION, request.id)
    assert decided.expires_at == family.clock() + timedelta(hours=1)


async def test_nobody_decides_their_own_request_not_even_a_reviewer(each_family: Family) -> None:
    family = each_family
    requests = [(ACCESS, await family.asks_access()), (OPERATION, await family.asks_operation())]
    for _ in range(2):
        for kind, request in requests:
            for decide in (family.core.approvals.approve, family.core.approvals.deny):
                error = await refused(decide(family.henry, kind, request.id))
                assert isinstance(error, Forbidden)
                assert error.code == "own_request"
        await family.gives(family.henry, REVIEWER, SUSHI_WORLD)
        await family.gives(family.henry, REVIEWER, PIZZA_PALACE)


async def test_who_may_not_see_a_request_is_told_that_there_is_none(each_family: Family) -> None:
    family = each_family
    request = await family.asks_access()
    elsewhere = Actor("default", "elsewhere", "1", "Joe")
    wrong_kind = await refused(family.core.approvals.approve(family.joe, OPERATION, request.id))
    unknown = await refused(family.core.approvals.approve(family.joe, ACCESS, f"req_{'0' * 32}"))
    unseen = await refused(family.core.approvals.approve(family.rose, ACCESS, request.id))
    abroad = await refused(family.core.approvals.approve(elsewhere, ACCESS, request.id))
    assert isinstance(unknown, NotFound)
    assert unknown.code == "no_such_request"
    assert unknown.as_dict() == unseen.as_dict() == wrong_kind.as_dict() == abroad.as_dict()


async def test_who_was_told_of_a_request_and_lost_the_right_is_no_reviewer(family: Family) -> None:
    request = await family.asks_access()
    await family.takes(family.jane, REVIEWER, SUSHI_WORLD)
    for decide in (family.core.approvals.approve, family.core.approvals.deny):
        error = await refused(decide(family.jane, ACCESS, request.id))
        assert isinstance(error, Forbidden)
        assert error.code == "not_a_reviewer"
    assert (await family.stored(request)).status is RequestStatus.PENDING


async def test_the_right_to_review_one_restaurant_is_none_for_another(family: Family) -> None:
    await family.gives(family.rose, REVIEWER, SUSHI_WORLD)
    operation, access = await family.asks_operation(), await family.asks_access()
    assert (
        await refused(family.core.approvals.approve(family.rose, OPERATION, operation.id))
    ).code == "no_such_request"
    assert (await family.core.approvals.approve(family.rose, ACCESS, access.id)).decided_by == "4"


@pytest.mark.parametrize(
    "request_id",
    ["../../x", "", "req", f"req_{'0' * 31}", f"req_{'0' * 33}", f"req_{'A' * 32}", f"req_{'0' * 32}\n", "1 OR 1=1"],
)
async def test_what_is_no_id_is_refused_before_anything_is_looked_up(
    family: Family, request_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family.core.database, "reading", None)
    monkeypatch.setattr(family.core.database, "transaction", None)
    approvals = family.core.approvals
    for attempt in (
        approvals.approve(family.joe, ACCESS, request_id),
        approvals.deny(family.joe, ACCESS, request_id),
        approvals.cancel(family.joe, ACCESS, request_id),
        approvals.get(family.joe, ACCESS, request_id),
    ):
        error = await refused(attempt)
        assert isinstance(error, InvalidInput)
        assert error.code == "invalid_id"
        assert error.message == "That is not a request id."


async def test_saying_the_same_again_answers_the_decided_request(each_family: Family) -> None:
    family = each_family
    request = await family.asks_operation()
    decided = await family.core.approvals.approve(family.joe, OPERATION, request.id, "Fine")
    family.clock.advance(minutes=5)
    assert await family.core.approvals.approve(family.joe, OPERATION, request.id, " Fine\n") == decided
    used = await family.use()
    assert await family.core.approvals.approve(family.joe, OPERATION, request.id, "Fine") == used
    assert (await family.audited()).count("request.approved") == 1


async def test_a_decision_cannot_be_taken_back_or_changed(each_family: Family) -> None:
    family = each_family
    approvals = family.core.approvals
    request = await family.asks_access()
    await approvals.deny(family.joe, ACCESS, request.id, "No")
    for attempt in (
        approvals.approve(family.joe, ACCESS, request.id, "No"),
        approvals.deny(family.joe, ACCESS, request.id, "Never"),
        approvals.deny(family.jane, ACCESS, request.id, "No"),
        approvals.approve(family.jane, ACCESS, request.id),
        approvals.cancel(family.henry, ACCESS, request.id),
    ):
        error = await refused(attempt)
        assert isinstance(error, Conflict)
        assert error.code == "already_decided"
        assert "denied by Joe" in error.message
        assert error.details == {"status": "denied", "decided_by": "Joe"}
    assert not await family.may(family.henry, "read", SUSHI_WORLD)


async def test_a_lapsed_request_cannot_be_decided_and_becomes_expired(each_family: Family) -> None:
    family = each_family
    access, operation = await family.asks_access(), await family.asks_operation()
    family.clock.advance(days=7)
    for kind, request, decide in (
        (ACCESS, access, family.core.approvals.approve),
        (OPERATION, operation, family.core.approvals.deny),
    ):
        error = await refused(decide(family.joe, kind, request.id))
        assert isinstance(error, Conflict)
        assert (error.code, error.details["status"]) == ("expired", "expired")
        assert (await family.stored(request)).status is RequestStatus.EXPIRED
    assert (await family.audited())[-2:] == ["request.expired", "request.expired"]
    assert not await family.may(family.henry, "read", SUSHI_WORLD)


async def test_a_lapsed_approval_repeated_by_its_reviewer_is_shown_expired(family: Family) -> None:
    request = await family.approved()
    family.clock.advance(hours=1)
    again = await family.core.approvals.approve(family.joe, OPERATION, request.id)
    assert again.status is RequestStatus.EXPIRED
    error = await refused(family.core.approvals.deny(family.joe, OPERATION, request.id))
    assert error.code == "already_decided"


async def test_a_comment_is_at_most_500_characters(family: Family) -> None:
    request = await family.asks_access()
    for comment in ("x" * 501, "x" * 10_000_000):
        assert (await refused(family.core.approvals.deny(family.joe, ACCESS, request.id, comment))).code == (
            "invalid_comment"
        )
    assert (await family.core.approvals.deny(family.joe, ACCESS, request.id, "x" * 500)).comment == "x" * 500


async def test_what_is_gone_cannot_be_approved(family: Family) -> None:
    request = await family.asks_operation()
    await family.remove(DEAR_PIZZA)
    # The right to review it went with it.
    assert (await refused(family.core.approvals.approve(family.joe, OPERATION, request.id))).code == "no_such_instance"
    assert (await family.stored(request)).status is RequestStatus.PENDING


async def test_a_right_to_review_that_outlives_the_instance_approves_nothing(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await family.asks_operation()
    service = family.core.approvals

    async def everything(_actor: Actor, subjects: list[Subject], _transaction: object) -> set[Subject]:
        return set(subjects)

    monkeypatch.setattr(service._reviewers, "reviewable", everything)
    await family.remove(DEAR_PIZZA)
    assert (await refused(service.approve(family.joe, OPERATION, request.id))).code == "no_such_instance"
    assert (await service.deny(family.joe, OPERATION, request.id)).status is RequestStatus.DENIED


async def test_an_asker_who_may_not_ask_any_more_gets_nothing(family: Family) -> None:
    request = await family.asks_access()
    await family.takes(family.henry, "child")
    error = await refused(family.core.approvals.approve(family.joe, ACCESS, request.id))
    assert error.code == "may_not_ask"
    assert (await family.stored(request)).status is RequestStatus.PENDING
    assert (await family.core.approvals.deny(family.joe, ACCESS, request.id)).status is RequestStatus.DENIED


async def test_one_withdraws_ones_own_pending_request_and_no_other(each_family: Family) -> None:
    family = each_family
    approvals = family.core.approvals
    request = await family.asks_access()
    for who in (family.rose, family.joe, Actor("default", "elsewhere", "3", "Henry")):
        assert (await refused(approvals.cancel(who, ACCESS, request.id))).code == "no_such_request"
    assert (await approvals.cancel(family.henry, ACCESS, request.id)).status is RequestStatus.CANCELLED
    assert (await refused(approvals.approve(family.joe, ACCESS, request.id))).code == "already_decided"
    assert (await refused(approvals.cancel(family.henry, ACCESS, request.id))).code == "already_decided"
    assert await family.audited() == ["request.created", "request.cancelled"]


async def test_withdrawing_too_late_says_so_and_expires_the_request(family: Family) -> None:
    request = await family.asks_operation()
    family.clock.advance(days=1)
    assert (await refused(family.core.approvals.cancel(family.henry, OPERATION, request.id))).code == "expired"
    assert (await family.stored(request)).status is RequestStatus.EXPIRED


async def test_a_decision_whose_role_cannot_be_given_is_not_made_at_all(
    each_family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = each_family
    request = await family.asks_access()
    before = (await family.audited(""), await family.core.notices.latest_id())

    async def broken(*_args: object, **_more: object) -> bool:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(family.core.directory, "assign", broken)
    with pytest.raises(RuntimeError):
        await family.core.approvals.approve(family.joe, ACCESS, request.id)
    assert (await family.stored(request)).status is RequestStatus.PENDING
    assert (await family.audited(""), await family.core.notices.latest_id()) == before

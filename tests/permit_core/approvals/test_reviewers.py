"""A decision point that fails or is lost means no, everywhere."""

import pytest
from sqlalchemy import update

from permit_core.access import Check, Decision
from permit_core.decision.permit_io import PermitPdp
from permit_core.identity import Actor
from permit_core.ports.policy_source import PolicyVersion
from permit_core.ports.request import RequestFilter, RequestStatus
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.tables import requests
from tests.support.family import ACCESS, OPERATION, Family, refused


async def broken(_checks: list[Check], _transaction: object = None) -> list[Decision]:
    raise ConnectionError("the decision point is away")


async def forgetful(_checks: list[Check], _transaction: object = None) -> list[Decision]:
    return []


@pytest.mark.parametrize("answer", [broken, forgetful])
async def test_without_an_answer_nobody_reviews_sees_or_is_told(
    family: Family, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    before = await family.asks_access()
    told = len(await family.core.notices.after(0))
    monkeypatch.setattr(family.core.pdp, "decide_many", answer)
    approvals = family.core.approvals
    for decide in (approvals.approve, approvals.deny):
        assert (await refused(decide(family.joe, ACCESS, before.id))).code == "not_a_reviewer"
    assert (await refused(approvals.get(family.joe, ACCESS, before.id))).code == "no_such_request"
    assert (await approvals.list(family.joe, ACCESS, RequestFilter())).total == 0
    assert await family.core.notices.undelivered(Actor("default", "default", "1")) == []
    await family.asks_access(family.rose)
    assert len(await family.core.notices.after(0)) == told
    assert (await approvals.get(family.henry, ACCESS, before.id)).status is RequestStatus.PENDING


async def test_without_an_answer_no_operation_can_be_asked_for(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_args: object) -> object:
        raise ConnectionError("the facts are away")

    inside: tuple[type, str] = (CurrentFacts, "facts") if family.core.permit_io is None else (PermitPdp, "_decide")
    for kind, part in (inside, (type(family.core.pdp), "decide")):
        monkeypatch.setattr(kind, part, away)
        error = await refused(family.asks_operation())
        assert error.code == "access_denied"
        assert error.details["ask_for"] == []


async def test_what_the_policy_offers_no_more_can_be_denied_and_not_approved(family: Family) -> None:
    request = await family.asks_access()
    approvals = family.core.approvals
    narrower = family.core.model.model_copy(update={"access_requests": ()})
    approvals._reviewers._policies = PolicyVersion(narrower)
    narrower.__dict__.pop("index", None)
    assert (await approvals.list(family.joe, ACCESS, RequestFilter())).items == [request]
    assert (await refused(approvals.approve(family.joe, ACCESS, request.id))).code == "may_not_ask"
    assert (await refused(approvals.deny(family.rose, ACCESS, request.id))).code == "no_such_request"
    assert (await approvals.deny(family.joe, ACCESS, request.id)).status is RequestStatus.DENIED


async def test_an_old_request_without_a_rule_is_decided_by_those_who_decide_on_its_type_now(family: Family) -> None:
    request = await family.asks_operation()
    async with family.core.database.transaction() as transaction:
        await transaction.execute(update(requests).values(review_action="", operation="grill"))
    approvals = family.core.approvals
    assert (await refused(approvals.approve(family.joe, OPERATION, request.id))).code == "may_not_ask"
    assert (await approvals.deny(family.joe, OPERATION, request.id)).status is RequestStatus.DENIED

"""Whatever the family does in whatever order, every request goes the way of the table, and the audit log tells how."""

from collections import Counter
from random import Random

import pytest

from permit_core.approvals.lifecycle import TRANSITIONS, Event
from permit_core.errors import UserFacing
from permit_core.ports.request import Request, RequestStatus
from tests.support.family import ACCESS, DEAR_BURGER, DEAR_PIZZA, SUSHI_WORLD, Family

STEPS = 150
HAPPENED = {
    "request.approved": Event.APPROVE,
    "request.denied": Event.DENY,
    "request.cancelled": Event.CANCEL,
    "request.expired": Event.EXPIRE,
    "request.used": Event.USE,
}


async def one_step(family: Family, chance: Random, made: list[Request]) -> None:
    """Let somebody do something, sensible or not."""
    approvals = family.core.approvals
    what = chance.choice(("ask", "ask", "ask", "approve", "approve", "approve", "deny", "cancel", "use", "use", "wait"))
    children, parents = (family.henry, family.rose), (family.joe, family.jane)
    usual, unusual = (parents, children) if what in {"approve", "deny"} else (children, parents)
    who = chance.choice((*usual, *usual, *usual, *unusual))
    dish = chance.choice((DEAR_PIZZA, DEAR_BURGER))
    if what == "wait":
        family.clock.advance(minutes=chance.choice((1, 70, 1500)))
    elif what == "use":
        await family.use(who, dish)
    elif what == "ask":
        access = chance.random() < 0.2
        made.append(await (family.asks_access(who, SUSHI_WORLD) if access else family.asks_operation(who, dish)))
    elif made:
        request = chance.choice(made[-3:])
        if what == "cancel":
            await approvals.cancel(who, request.kind, request.id)
        else:
            await (approvals.approve if what == "approve" else approvals.deny)(who, request.kind, request.id)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_request_goes_the_way_of_the_table_and_the_log_tells_it(family: Family, seed: int) -> None:
    chance, outcomes = Random(seed), Counter[str]()
    made: list[Request] = []
    for _ in range(STEPS):
        try:
            await one_step(family, chance, made)
            outcomes["done"] += 1
        except UserFacing as error:
            outcomes[error.code] += 1
    told: dict[str, RequestStatus] = {}
    after = 0
    while records := await family.core.audit.records("default", after_seq=after, limit=500):
        after = records[-1].seq
        for record in records:
            if record.event == "request.created":
                assert record.body["request"] not in told
                told[record.body["request"]] = RequestStatus.PENDING
            elif record.event in HAPPENED:
                request_id = record.body["request"]
                told[request_id] = TRANSITIONS[told[request_id], HAPPENED[record.event]]
    assert told == {request.id: (await family.stored(request)).status for request in made}
    assert {RequestStatus.USED, RequestStatus.DENIED, RequestStatus.EXPIRED} <= set(told.values()), outcomes
    for request in made:
        stored = await family.stored(request)
        assert (stored.used_at is not None) is (stored.status is RequestStatus.USED)
        assert stored.decided_by != stored.user
        if stored.decided_by is not None:
            assert stored.decided_by in {"1", "2"}
    granted = {r.user for r in made if r.kind is ACCESS and told[r.id] is RequestStatus.APPROVED}
    assert {who.user for who in (family.henry, family.rose) if await family.may(who, "read", SUSHI_WORLD)} == granted

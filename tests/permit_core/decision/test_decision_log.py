import asyncio

from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.database import Transaction
from permit_core.decision.decision_log import MOST_DECISIONS, LoggingPdp, decision_log
from permit_core.identity import Actor
from permit_core.policy.loader import load_policy
from permit_core.ports.policy_source import PolicyVersion
from tests.support.core import POLICIES

POLICY = PolicyVersion(load_policy(POLICIES / "family_food.yaml"), "f00d")


class Denying:
    """A decision point that says no to everything."""

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        return (await self.decide_many([check], transaction))[0]

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        return [Decision(Effect.DENY, ReasonCode.NO_PERMISSION, "a.rule") for _ in checks]


def check(number: int) -> Check:
    return Check(Actor("default", "default", "3"), "read", ResourceRef("things", str(number)))


async def test_what_is_decided_within_is_kept_in_order_with_its_reason() -> None:
    pdp = LoggingPdp(Denying(), POLICY)
    with decision_log() as kept:
        await pdp.decide(check(1))
        await pdp.decide_many([check(2), check(3)])
    decisions = kept.as_dict()["decisions"]
    assert [each["resource"] for each in decisions] == ["things:1", "things:2", "things:3"]
    assert decisions[0] == {
        "user": "3",
        "action": "read",
        "resource": "things:1",
        "effect": "deny",
        "reason_code": "no_permission",
        "rule": "a.rule",
    }


async def test_each_call_has_a_log_of_its_own_and_its_tasks_write_to_it() -> None:
    pdp = LoggingPdp(Denying(), POLICY)

    async def call(number: int) -> list[str]:
        with decision_log() as kept:
            await asyncio.create_task(pdp.decide(check(number)))
            return [each["resource"] for each in kept.as_dict()["decisions"]]

    first, second = await asyncio.gather(call(1), call(2))
    assert (first, second) == (["things:1"], ["things:2"])


async def test_without_a_log_the_answer_is_the_same() -> None:
    assert (await LoggingPdp(Denying(), POLICY).decide(check(1))).effect is Effect.DENY


async def test_a_call_that_decides_nothing_says_nothing_of_decisions() -> None:
    with decision_log() as kept:
        pass
    assert kept.as_dict() == {}


async def test_a_record_has_a_bound_and_says_how_much_is_left_out() -> None:
    with decision_log() as kept:
        await LoggingPdp(Denying(), POLICY).decide_many([check(number) for number in range(MOST_DECISIONS + 2)])
    assert len(kept.as_dict()["decisions"]) == MOST_DECISIONS
    assert kept.as_dict()["decisions_left_out"] == 2


async def test_a_decision_by_another_policy_than_the_call_was_judged_by_names_it() -> None:
    with decision_log("f00d") as kept:
        await LoggingPdp(Denying(), POLICY).decide(check(1))
        await LoggingPdp(Denying(), PolicyVersion(POLICY.model, "beef")).decide(check(2))
    same, other = kept.as_dict()["decisions"]
    assert "policy" not in same
    assert other["policy"] == "beef"

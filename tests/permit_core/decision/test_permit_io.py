"""Permit.io decides; whatever is not a clear yes of its is a no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.bootstrap import Core, assemble
from permit_core.database import Database
from permit_core.entries import RoleAssignment
from permit_core.identity import Actor
from permit_core.permit_io import client as client_module
from permit_core.policy.engine import decide
from permit_core.policy.facts_file import load_facts
from permit_core.policy.loader import load_policy, read_policy
from tests.support.core import POLICIES, TENANT
from tests.support.fake_permit import Reply, fake_permit, saying
from tests.support.family import CHEAP_PIZZA, DEAR_PIZZA, HIDDEN_DISH, ROLE, SUSHI_WORLD
from tests.support.permit_io import SeededPermit


@pytest.fixture
async def core(permit_io: SeededPermit, tmp_path: Path) -> AsyncIterator[Core]:
    opened = await permit_io.core(tmp_path)
    yield opened
    await opened.close()


async def decided(core: Core, user: str, action: str, resource: ResourceRef, **more: Any) -> Decision:
    return await core.pdp.decide(Check(Actor("default", TENANT, user), action, resource, **more))


async def test_what_permit_io_allows_is_allowed(core: Core) -> None:
    assert await decided(core, "3", "order", CHEAP_PIZZA) == Decision(Effect.ALLOW, ReasonCode.PERMIT_IO)


async def test_a_denial_becomes_a_question_to_a_human_where_the_policy_file_says_so(core: Core) -> None:
    decision = await decided(core, "3", "order", DEAR_PIZZA)
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert [remedy.operation for remedy in decision.remedies] == ["order"]


async def test_a_denial_says_what_can_be_asked_for(core: Core) -> None:
    decision = await decided(core, "3", "read", HIDDEN_DISH)
    assert decision.effect is Effect.DENY
    assert [remedy.as_dict() for remedy in decision.remedies] == [
        {"kind": "access_request", "resource_instance": str(SUSHI_WORLD), "role": ROLE}
    ]


async def test_a_role_given_or_taken_in_permit_io_counts_at_the_next_question(core: Core) -> None:
    given = RoleAssignment("3", ROLE, TENANT, SUSHI_WORLD)
    await core.directory.assign(core.system, given)
    assert (await decided(core, "3", "read", HIDDEN_DISH)).allowed
    await core.directory.unassign(core.system, given)
    assert not (await decided(core, "3", "read", HIDDEN_DISH)).allowed


async def test_attributes_of_the_moment_count(core: Core) -> None:
    decision = await decided(core, "3", "order", CHEAP_PIZZA, resource_attributes={"price_cents": 1001})
    assert decision.effect is not Effect.ALLOW


async def test_many_questions_are_answered_in_their_order(core: Core) -> None:
    checks = [Check(Actor("default", TENANT, "3"), "read", ResourceRef("restaurants", key)) for key in "12341"]
    decisions = await core.pdp.decide_many(checks)
    assert [each.allowed for each in decisions] == [True, True, False, False, True]
    assert await core.pdp.decide_many([]) == []


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (Check(Actor("default", TENANT, "3"), "read", ResourceRef("drinks", "1")), ReasonCode.NO_SUCH_RESOURCE),
        (Check(Actor("default", TENANT, "3"), "eat", CHEAP_PIZZA), ReasonCode.NO_SUCH_ACTION),
        (Check(Actor("default", "elsewhere", "3"), "read", CHEAP_PIZZA), ReasonCode.NO_SUCH_TENANT),
        (Check(Actor("default", TENANT, "99"), "read", CHEAP_PIZZA), ReasonCode.NO_SUCH_USER),
        (Check(Actor("default", TENANT, ".."), "read", CHEAP_PIZZA), ReasonCode.NO_SUCH_USER),
        (Check(Actor("default", TENANT, "3"), "read", ResourceRef("restaurants", "99")), ReasonCode.NO_SUCH_INSTANCE),
        (Check(Actor("default", TENANT, "3"), "update", ResourceRef("restaurants", "1")), ReasonCode.NO_PERMISSION),
    ],
)
async def test_a_denial_says_why(core: Core, check: Check, reason: ReasonCode) -> None:
    decision = await core.pdp.decide(check)
    assert (decision.effect, decision.reason_code) == (Effect.DENY, reason)


async def test_it_decides_as_our_own_engine_wherever_the_facts_are_those_of_the_file(core: Core) -> None:
    model = load_policy(POLICIES / "family_food.yaml")
    facts = load_facts(POLICIES / "family_food.facts.yaml", model)
    checks = [
        Check(Actor("default", TENANT, user), action, instance.ref)
        for user in ("1", "3")
        for instance in facts.instances
        for action in model.resources[instance.ref.type].actions
    ]
    decisions = await core.pdp.decide_many(checks)
    ours = [decide(model, facts.facts(), check) for check in checks]
    assert len({decision.effect for decision in ours}) == 3
    assert [each.effect for each in decisions] == [each.effect for each in ours]
    refused = [
        (got.remedies, own.remedies)
        for got, own, check in zip(decisions, ours, checks, strict=True)
        if own.effect is not Effect.ALLOW and check.action != "review"
    ]
    assert all(got == own for got, own in refused)


NONSENSE: list[tuple[Reply | None, ReasonCode]] = [
    (None, ReasonCode.PDP_UNREACHABLE),
    (saying({"detail": "opa"}, 500), ReasonCode.PDP_UNREACHABLE),
    ((401, {}, b"Missing Authorization header"), ReasonCode.PDP_REFUSED),
    ((403, {}, b"Invalid API key"), ReasonCode.PDP_REFUSED),
    (saying({"error": "rate_limited"}, 429, **{"retry-after": "60"}), ReasonCode.PDP_BUSY),
    ((200, {"content-type": "text/html"}, b"<html>"), ReasonCode.PDP_NONSENSE),
    (saying({}), ReasonCode.PDP_NONSENSE),
    (saying([]), ReasonCode.PDP_NONSENSE),
    (saying({"allow": []}), ReasonCode.PDP_NONSENSE),
    (saying({"allow": [{"allow": True}, {"allow": True}]}), ReasonCode.PDP_NONSENSE),
    (saying({"allow": [{"allow": "yes"}]}), ReasonCode.PDP_NONSENSE),
    (saying({"allow": [{"allow": 1}]}), ReasonCode.PDP_NONSENSE),
    (saying({"allow": [{"result": True}]}), ReasonCode.PDP_NONSENSE),
    (saying({}, 307, location="http://127.0.0.1:9/"), ReasonCode.PDP_NONSENSE),
]


@pytest.mark.parametrize(("reply", "reason"), NONSENSE)
async def test_whatever_is_not_a_decision_is_a_denial_with_its_reason(
    permit_io: SeededPermit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply | None, reason: ReasonCode
) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(client_module, "WHOLE_SECONDS", 0.5)
    async with fake_permit(lambda _method, _path: reply) as fake:
        settings = permit_io.ours(tmp_path, permit_pdp_url=fake.url)
        database = Database.open(settings.resolved_database_url)
        core = assemble(settings, read_policy(settings.policy_file), database)
        decision = await decided(core, "1", "read", CHEAP_PIZZA)
        await core.close()
    assert (decision.effect, decision.reason_code) == (Effect.DENY, reason)


async def test_a_decision_that_cannot_be_explained_is_a_denial_without_an_offer(
    permit_io: SeededPermit, tmp_path: Path
) -> None:
    settings = permit_io.ours(tmp_path, permit_api_url="http://127.0.0.1:9")
    core = assemble(settings, read_policy(settings.policy_file), Database.open(settings.resolved_database_url))
    assert (await decided(core, "1", "read", CHEAP_PIZZA)).allowed
    decision = await decided(core, "3", "order", DEAR_PIZZA)
    await core.close()
    assert (decision.effect, decision.reason_code) == (Effect.DENY, ReasonCode.PDP_UNREACHABLE)
    assert decision.remedies == ()

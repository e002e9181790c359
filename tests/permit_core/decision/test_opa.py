"""The decision point that asks OPA: fresh, consistent, and closed when something fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.database import Database
from permit_core.decision import opa as opa_module
from permit_core.decision import opa_client
from permit_core.decision.opa import OpaPdp
from permit_core.decision.opa_answers import RULES_VERSION
from permit_core.decision.opa_client import OpaClient
from permit_core.entries import RoleAssignment, User
from permit_core.errors import ConfigurationError
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy_source import policy_file
from permit_core.ports.record import RecordFilter
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore
from tests.support.core import ENVIRONMENT, POLICIES, TENANT, family_settings, make_core
from tests.support.http_standin import Dropped, Exchange, HttpStandIn
from tests.support.opa import free_port, running_opa
from tests.support.processes import output_of, start_python

pytestmark = pytest.mark.slow

SUSHI = ResourceRef("restaurants", "4")
HENRY_READS_SUSHI = Check(Actor("default", TENANT, "3"), "read", SUSHI)
HENRY_AT_SUSHI = RoleAssignment("3", "child-can-view", TENANT, SUSHI)
JOE_READS_SUSHI = Check(Actor("default", TENANT, "1"), "read", SUSHI)


class CountingClient(OpaClient):
    """Counts questions and documents."""

    def __init__(self, url: str, timeout_seconds: float = 10) -> None:
        super().__init__(url, timeout_seconds)
        self.asked = 0
        self.put_paths: list[str] = []

    async def ask(self, body: bytes) -> Any:
        self.asked += 1
        return await super().ask(body)

    async def put(self, path: str, body: bytes, stamp: str) -> None:
        self.put_paths.append(path.partition("/")[0])
        await super().put(path, body, stamp)


class OpaStandIn(HttpStandIn):
    """Answers each question with the next of ``answers``, the last one again and again; each is done by a function."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)
        self.paths: list[str] = []

    async def handle(self, exchange: Exchange) -> None:
        self.paths.append(exchange.request.path)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            await answer(exchange)
        else:
            await exchange.json(200, answer)


@pytest.fixture(scope="module")
def opa_url() -> Iterator[str]:
    with running_opa() as url:
        yield url


def pdp_of(core: Core, client: OpaClient, timeout_seconds: float = 10) -> OpaPdp:
    return OpaPdp(core.policies, CurrentFacts(FactStore(), core.database), client, timeout_seconds)


@pytest.fixture
async def client(opa_url: str) -> AsyncIterator[CountingClient]:
    opened = CountingClient(opa_url)
    yield opened
    await opened.close()


@pytest.fixture
def pdp(core: Core, client: CountingClient) -> OpaPdp:
    return pdp_of(core, client)


async def failing(core: Core, url: str, seconds: float = 10) -> Decision:
    """A decision that fails, for Joe, who may; and nothing of it is left open."""
    pdp = pdp_of(core, OpaClient(url, seconds), seconds)
    first, second = await pdp.decide_many([JOE_READS_SUSHI, HENRY_READS_SUSHI])
    await pdp.close()
    assert first == second
    assert (first.effect, first.reason_code) == (Effect.DENY, ReasonCode.PDP_ERROR)
    return first


async def test_it_says_what_the_embedded_one_says_about_the_whole_family(core: Core, pdp: OpaPdp) -> None:
    async with core.database.reading() as reading:
        facts = await FactStore().snapshot(ENVIRONMENT, reading)
    refs = [*facts.instances, *map(ResourceRef, core.model.resources), ResourceRef("dishes", "x"), ResourceRef("cars")]
    checks = [
        Check(Actor("default", TENANT, user), action, ref)
        for user in [*facts.users, "nobody"]
        for ref in refs
        for action in ("read", "order", "review", "create", "fly")
    ]
    for check, theirs, ours in zip(
        checks, await pdp.decide_many(checks), await core.pdp.decide_many(checks), strict=True
    ):
        assert (theirs.effect, theirs.reason_code, theirs.rule, theirs.remedies) == (
            ours.effect,
            ours.reason_code,
            ours.rule,
            ours.remedies,
        ), check
        assert theirs.chain
        if theirs.effect is Effect.DENY:
            assert theirs == ours


async def test_many_checks_are_one_question_and_none_is_no_question(
    core: Core, pdp: OpaPdp, client: CountingClient
) -> None:
    await pdp.decide(JOE_READS_SUSHI)
    before = client.asked
    decisions = await pdp.decide_many([JOE_READS_SUSHI, HENRY_READS_SUSHI] * 50)
    assert [decision.allowed for decision in decisions] == [True, False] * 50
    assert client.asked == before + 1
    assert await pdp.decide_many([]) == []
    assert client.asked == before + 1


async def test_a_role_given_or_taken_counts_for_the_next_decision(core: Core, pdp: OpaPdp) -> None:
    assert (await pdp.decide(HENRY_READS_SUSHI)).effect is Effect.DENY
    await core.directory.assign(core.system, HENRY_AT_SUSHI)
    allowed = await pdp.decide(HENRY_READS_SUSHI)
    assert allowed.allowed
    assert allowed.chain[0] == "user 3 has role child-can-view on restaurants:4"
    await core.directory.unassign(Actor("default", "", "1"), HENRY_AT_SUSHI)
    assert (await pdp.decide(HENRY_READS_SUSHI)).effect is Effect.DENY


async def test_a_fact_changed_by_another_process_is_seen_by_the_next_decision(
    core_on_each: Core, client: CountingClient
) -> None:
    pdp = pdp_of(core_on_each, client)
    assert not (await pdp.decide(HENRY_READS_SUSHI)).allowed
    body = """
        from pathlib import Path
        from permit_core.bootstrap import open_core
        from tests.permit_core.decision.test_opa import HENRY_AT_SUSHI
        from tests.support.core import family_settings
        core = await open_core(family_settings(Path("."), sys.argv[1]), migrate=False)
        await core.directory.assign(core.system, HENRY_AT_SUSHI)
        await core.close()
    """
    output_of(start_python(body, core_on_each.settings.resolved_database_url))
    assert (await pdp.decide(HENRY_READS_SUSHI)).allowed


async def test_within_a_transaction_its_own_facts_decide_and_outside_the_committed_ones(
    core_on_each: Core, client: CountingClient
) -> None:
    pdp, database = pdp_of(core_on_each, client), core_on_each.database

    with suppress(Dropped):
        async with database.transaction() as transaction:
            await core_on_each.directory.assign(Actor("default", "", "1"), HENRY_AT_SUSHI, transaction=transaction)
            for _ in range(3):
                assert (await pdp.decide(HENRY_READS_SUSHI, transaction)).allowed
                assert not (await pdp.decide(HENRY_READS_SUSHI)).allowed
            raise Dropped  # whatever makes a transaction roll back
    assert not (await pdp.decide(HENRY_READS_SUSHI)).allowed


async def test_two_states_of_the_facts_stand_side_by_side(core: Core, pdp: OpaPdp, client: CountingClient) -> None:
    async with core.database.transaction() as transaction:
        await core.directory.assign(Actor("default", "", "1"), HENRY_AT_SUSHI, transaction=transaction)
        await pdp.decide(HENRY_READS_SUSHI)
        await pdp.decide(HENRY_READS_SUSHI, transaction)
        client.put_paths.clear()
        for _ in range(3):
            assert not (await pdp.decide(HENRY_READS_SUSHI)).allowed
            assert (await pdp.decide(HENRY_READS_SUSHI, transaction)).allowed
    assert client.put_paths == []


async def test_many_at_once_push_a_new_state_once(core: Core, pdp: OpaPdp, client: CountingClient) -> None:
    await pdp.decide(HENRY_READS_SUSHI)
    await core.directory.assign(core.system, HENRY_AT_SUSHI)
    client.put_paths.clear()
    decisions = await asyncio.gather(*(pdp.decide(HENRY_READS_SUSHI) for _ in range(20)))
    assert all(decision.allowed for decision in decisions)
    assert client.put_paths == ["facts"]


async def test_another_process_need_not_push_what_is_there(core: Core, pdp: OpaPdp, opa_url: str) -> None:
    await pdp.decide(JOE_READS_SUSHI)
    second = CountingClient(opa_url)
    assert (await pdp_of(core, second).decide(JOE_READS_SUSHI)).allowed
    assert second.put_paths == []
    await second.close()


async def test_an_opa_that_comes_back_empty_is_given_everything_again(core: Core) -> None:
    port = free_port()
    client = CountingClient(f"http://127.0.0.1:{port}")
    pdp = pdp_of(core, client)
    for _ in range(2):
        with running_opa(port=port):
            assert (await pdp.decide(JOE_READS_SUSHI)).allowed
        assert (await pdp.decide(JOE_READS_SUSHI)).reason_code is ReasonCode.PDP_ERROR
    assert client.put_paths == ["model", "facts"] * 2
    await client.close()


async def test_names_and_values_that_are_no_unicode_or_no_json_are_never_more_than_the_engine_allows(
    core: Core, pdp: OpaPdp
) -> None:
    odd: dict[str, Any] = {"a": float("inf"), "b": "\ud800", "c": {1}, "\ud800": 1, "d": 10**5000, "e": float("nan")}
    checks = [
        Check(Actor("default", TENANT, "\ud800"), "read", SUSHI),
        Check(Actor("default", TENANT, "1"), "read", ResourceRef("restaurants", "\ud800")),
        Check(Actor("default", TENANT, "1"), "read", ResourceRef("restaurants", "")),
        Check(Actor("default", TENANT, "1"), "read", ResourceRef("restaurants:4", "x")),
        Check(Actor("default", TENANT, "1"), "read", SUSHI, user_attributes=odd, resource_attributes=odd, context=odd),
    ]
    theirs, ours = await pdp.decide_many(checks), await core.pdp.decide_many(checks)
    assert [each.reason_code for each in theirs] == [each.reason_code for each in ours]
    price = {"price_cents": float("-inf")}
    order = Check(
        Actor("default", TENANT, "3"), "order", ResourceRef("dishes", "1-pepperoni-pizza"), resource_attributes=price
    )
    assert (await core.pdp.decide(order)).allowed
    assert (await pdp.decide(order)).effect is Effect.REQUIRE_APPROVAL


async def test_an_opa_that_is_down_denies_and_says_so(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    decision = await failing(core, f"http://127.0.0.1:{free_port()}")
    assert decision.chain == ("OPA cannot be reached (ConnectError)",)
    assert "OPA cannot be reached (ConnectError): 2 checks are denied" in caplog.text


async def test_an_opa_without_rules_denies_and_says_so(core: Core) -> None:
    with running_opa(rules=None) as url:
        assert (await failing(core, url)).chain == ("OPA has no rules: load policies/opa into it",)


async def test_an_opa_that_wants_a_token_denies_without_it_and_decides_with_it(core: Core, tmp_path: Path) -> None:
    (tmp_path / "authz.rego").write_text(
        'package system.authz\n\ndefault allow := false\n\nallow if input.identity == "secret"\n\n'
        'allow if input.path == ["health"]\n'
    )
    with running_opa("--authentication=token", "--authorization=basic", tmp_path / "authz.rego") as url:
        assert (await failing(core, url)).chain == ("OPA refuses this program: OPA_TOKEN is missing or wrong",)
        pdp = pdp_of(core, OpaClient(url, 10, "secret"))
        assert (await pdp.decide(JOE_READS_SUSHI)).allowed
        await pdp.close()


async def never(exchange: Exchange) -> None:
    await asyncio.Event().wait()


async def dropped(exchange: Exchange) -> None:
    raise Dropped


async def no_json(exchange: Exchange) -> None:
    await exchange.stream("application/json")
    await exchange.send(b"{not json")


async def endless(exchange: Exchange) -> None:
    await exchange.stream("application/json")
    while True:
        await exchange.send(b" " * 65_536)


async def server_error(exchange: Exchange) -> None:
    await exchange.json(500, {"code": "internal_error", "message": "conflict"})


def answered(*decisions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"result": {"rules": RULES_VERSION, "decisions": list(decisions), **more}}


ALLOW = {"effect": "allow", "reason": "tenant_role", "rule": "roles.parent", "because": []}
NONSENSE = [
    ([], "no object"),
    (no_json, "no JSON"),
    ({"result": []}, "faults in its shape"),
    ({"result": {"rules": RULES_VERSION, "decisions": True}}, "faults in its shape"),
    ({"result": {"rules": RULES_VERSION + 1}}, "rules of another version"),
    (answered(), "not one decision for each check"),
    (answered(ALLOW), "not one decision for each check"),
    (answered(ALLOW, ALLOW, ALLOW), "not one decision for each check"),
    (answered(ALLOW, {**ALLOW, "effect": True}), "faults in its shape"),
    (answered(ALLOW, {**ALLOW, "reason": "because I say so"}), "faults in its shape"),
    (answered(ALLOW, {**ALLOW, "reason": "no_permission"}), "an effect that its reason does not have"),
    (answered(ALLOW, {**ALLOW, "effect": "deny"}), "an effect that its reason does not have"),
    (answered(ALLOW, ALLOW, surprise=1), "faults in its shape"),
    (server_error, "status 500"),
    (dropped, "cannot be reached"),
]


@pytest.mark.parametrize(("answer", "why"), NONSENSE, ids=range(len(NONSENSE)))
async def test_nonsense_denies_and_says_so(core: Core, answer: Any, why: str) -> None:
    standin = OpaStandIn(answer)
    async with standin.serving():
        assert why in (await failing(core, standin.url)).chain[0]


async def test_a_slow_opa_denies_and_says_so(core: Core) -> None:
    standin = OpaStandIn(never)
    async with standin.serving():
        assert "did not answer within" in (await failing(core, standin.url, 1)).chain[0]
        await standin.clients_left(1)


async def test_an_answer_without_end_denies(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opa_client, "MOST_ANSWER_BYTES", 1_000_000)
    standin = OpaStandIn(endless)
    async with standin.serving():
        assert "more than 1000000 bytes" in (await failing(core, standin.url)).chain[0]


async def test_an_opa_that_keeps_nothing_is_given_up_after_some_pushes(core: Core) -> None:
    standin = OpaStandIn({"result": {"rules": RULES_VERSION, "missing": ["facts"]}})
    async with standin.serving():
        assert (await failing(core, standin.url)).chain == ("OPA does not keep the facts it is given",)
        assert len(standin.paths) == 2 * opa_module.MOST_QUESTIONS


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(core: Core) -> None:
    standin = OpaStandIn(answered(ALLOW), dropped, answered(ALLOW))
    async with standin.serving():
        pdp = pdp_of(core, OpaClient(standin.url, 10))
        assert (await pdp.decide(JOE_READS_SUSHI)).allowed
        assert (await pdp.decide(JOE_READS_SUSHI)).allowed
        await pdp.close()


async def test_without_its_database_it_says_no(core: Core, client: CountingClient) -> None:
    unreachable = Database.open("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    pdp = OpaPdp(core.policies, CurrentFacts(FactStore(), unreachable), client, 10)
    assert (await pdp.decide(JOE_READS_SUSHI)).chain == ("the question could not be put to OPA",)
    assert client.asked == 0
    await unreachable.close()


async def test_a_denial_that_our_engine_does_not_understand_stands_and_is_logged(
    core: Core, pdp: OpaPdp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def other(_model: PolicyModel, _facts: Facts, _check: Check) -> Decision:
        return Decision(Effect.ALLOW, ReasonCode.TENANT_ROLE)

    monkeypatch.setattr(vars(opa_module)["engine"], "decide", other)
    with caplog.at_level(logging.ERROR):
        decision = await pdp.decide(HENRY_READS_SUSHI)
    assert (decision.effect, decision.reason_code, decision.remedies) == (Effect.DENY, ReasonCode.NO_PERMISSION, ())
    assert "OPA denies (no_permission) what our engine answers with tenant_role" in caplog.text


async def test_one_setting_chooses_who_decides(tmp_path: Path, opa_url: str) -> None:
    for chosen, chain in (("opa", 2), ("embedded", 2)):
        core = await make_core(tmp_path, pdp=chosen, opa_url=opa_url)
        assert (core.remote is not None) == (chosen == "opa")
        decision = await core.pdp.decide(JOE_READS_SUSHI)
        assert decision.allowed
        assert len(decision.chain) == chain
        await core.close()


async def test_facts_of_every_kind_arrive(core: Core, pdp: OpaPdp) -> None:
    await core.directory.put_user(Actor("default", "", "1"), User("zoe@x.y", "Zoé", "", "zoé@x.y"))
    await core.directory.assign(Actor("default", "", "1"), RoleAssignment("zoe@x.y", "parent", TENANT, SUSHI))
    assert (await pdp.decide(Check(Actor("default", TENANT, "zoe@x.y"), "read", SUSHI))).allowed


@pytest.mark.parametrize(
    ("serving", "expected"),
    [
        (None, "OPA_URL: OPA cannot be reached"),
        (never, "OPA_URL: OPA did not answer within 1 seconds"),
        ({}, "OPA_URL: OPA has no rules: load policies/opa into it"),
        ({"result": {"rules": 99}}, "rules of another version"),
    ],
)
async def test_at_start_it_is_said_which_setting_is_wrong(tmp_path: Path, serving: Any, expected: str) -> None:
    standin = OpaStandIn(serving)
    async with standin.serving():
        url = standin.url if serving is not None else f"http://127.0.0.1:{free_port()}"
        settings = family_settings(tmp_path, pdp="opa", opa_url=url, opa_timeout_seconds=1)
        with pytest.raises(ConfigurationError, match=expected) as raised:
            await open_core(settings)
        assert "set PDP=embedded" in str(raised.value)


async def test_a_process_that_is_started_by_another_does_not_look_for_opa(core: Core, tmp_path: Path) -> None:
    url = core.settings.resolved_database_url
    settings = family_settings(tmp_path, url, pdp="opa", opa_url=f"http://127.0.0.1:{free_port()}")
    other = await open_core(settings, migrate=False)
    assert (await other.pdp.decide(JOE_READS_SUSHI)).reason_code is ReasonCode.PDP_ERROR
    await other.close()


async def test_a_changed_policy_reaches_opa_with_the_next_question(
    tmp_path: Path, opa_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_file, "SETTLED_SECONDS", 0.0)
    file = tmp_path / "policy.yaml"
    text = (POLICIES / "family_food.yaml").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    core = await make_core(tmp_path, pdp="opa", opa_url=opa_url, policy_file=str(file))
    try:
        assert (await core.pdp.decide(JOE_READS_SUSHI)).effect is Effect.ALLOW
        file.write_text(
            text.replace("[create, read, update, delete]\n      child", "[create, update, delete]\n      child")
        )
        await core.policies.renew(core.environment)
        assert (await core.pdp.decide(JOE_READS_SUSHI)).effect is Effect.DENY
        deep = leaf = "{resource.allowed_for_children: {equals: true}}"
        for level in range(17):
            deep = f"{{{'anyOf' if level % 2 else 'allOf'}: [{leaf}, {deep}]}}"
        deeper = f"resource_sets:\n  deep: {{resource: restaurants, conditions: {deep}}}"
        file.write_text(text.replace("resource_sets:", deeper, 1))
        await core.policies.renew(core.environment)
        assert (await core.pdp.decide(JOE_READS_SUSHI)).effect is Effect.DENY
        (refused,) = await core.audit.records(core.environment, RecordFilter(event="policy.refused"))
        assert "resource_sets.deep are nested too deep for PDP=opa" in refused.body["reason"]
    finally:
        await core.close()

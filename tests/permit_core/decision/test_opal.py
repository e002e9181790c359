"""Documents by way of OPAL: a real one, and one that fails."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.bootstrap import Core
from permit_core.decision import opal
from permit_core.decision.opa import OpaPdp
from permit_core.decision.opa_answers import RULES_VERSION
from permit_core.decision.opa_client import OpaClient
from permit_core.decision.opa_documents import facts_document
from permit_core.decision.opal import OpalFeed
from permit_core.entries import RoleAssignment
from permit_core.identity import Actor
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore, FactsVersion
from tests.support.core import ENVIRONMENT, TENANT, make_core
from tests.support.http_standin import Exchange, HttpStandIn
from tests.support.opa import RULES, free_port, running_opa
from tests.support.opal import DEPLOYED, opal_programs, running_opal

SUSHI = ResourceRef("restaurants", "4")
HENRY_READS_SUSHI = Check(Actor("default", TENANT, "3"), "read", SUSHI)
HENRY_AT_SUSHI = RoleAssignment("3", "child-can-view", TENANT, SUSHI)


class OpalStandIn(HttpStandIn):
    """An OPAL server that answers with a status and takes nothing anywhere; and an OPA that has nothing."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status
        self.updates: list[Any] = []

    async def handle(self, exchange: Exchange) -> None:
        if exchange.request.path == "/data/config":
            assert exchange.request.headers["authorization"] == "Bearer secret"
            self.updates.append(exchange.request.json())
            await exchange.json(self.status, {"status": "ok"})
        elif exchange.request.method == "GET":
            await exchange.json(200, {})
        else:
            await exchange.json(200, {"result": {"rules": RULES_VERSION, "missing": ["model", "facts"]}})


class StuckStandIn(HttpStandIn):
    """Takes what it is sent and never answers."""

    async def handle(self, exchange: Exchange) -> None:
        await asyncio.Event().wait()


async def decided(core: Core, opa_url: str, opal_url: str, seconds: float) -> Decision:
    client = OpaClient(opa_url, seconds)
    feed = OpalFeed(opal_url, client, seconds, "secret")
    pdp = OpaPdp(core.policies, CurrentFacts(FactStore(), core.database), client, seconds, feed=feed)
    decision = await pdp.decide(HENRY_READS_SUSHI)
    await pdp.close()
    assert (decision.effect, decision.reason_code) == (Effect.DENY, ReasonCode.PDP_ERROR)
    return decision


@pytest.mark.timeout(300)
async def test_a_real_opal_brings_rules_model_and_facts_to_opa_and_every_change(tmp_path: Path) -> None:
    opal_programs()
    with running_opa(rules=None) as opa_url, running_opal(tmp_path, opa_url) as running:
        core = await make_core(
            tmp_path, pdp="opa", opa_url=opa_url, opal_server_url=running.url, opa_timeout_seconds=30
        )
        listed = await asyncio.to_thread(httpx.get, f"{opa_url}/v1/policies", trust_env=False)
        names = {Path(each["id"]).name for each in listed.json()["result"]}
        assert names == {each.name for each in RULES.glob("*.rego") if not each.name.endswith("_test.rego")}
        assert (await core.pdp.decide(HENRY_READS_SUSHI)).reason_code is ReasonCode.NO_PERMISSION
        assert (await core.pdp.decide(Check(Actor("default", TENANT, "1"), "read", SUSHI))).allowed
        await core.directory.assign(Actor("default", "", "1"), HENRY_AT_SUSHI)
        assert (await core.pdp.decide(HENRY_READS_SUSHI)).allowed
        await core.directory.unassign(Actor("default", "", "1"), HENRY_AT_SUSHI)
        assert (await core.pdp.decide(HENRY_READS_SUSHI)).reason_code is ReasonCode.NO_PERMISSION

        running.stop_server()
        assert (await core.pdp.decide(Check(Actor("default", TENANT, "1"), "read", SUSHI))).allowed
        await core.directory.assign(Actor("default", "", "1"), HENRY_AT_SUSHI)
        stale = await core.pdp.decide(HENRY_READS_SUSHI)
        assert stale.reason_code is ReasonCode.PDP_ERROR
        assert stale.chain == ("OPAL_SERVER_URL: OPAL cannot be reached (ConnectError)",)
        await core.close()


async def test_the_update_that_is_shown_is_one_of_ours(core: Core) -> None:
    shown = json.loads((DEPLOYED / "data_update.json").read_text(encoding="utf-8"))
    async with core.database.reading() as reading:
        facts = await FactStore().snapshot(ENVIRONMENT, reading)
    document = json.loads(facts_document(facts, FactsVersion(3, "5e1a")))
    (entry,) = shown["entries"]
    assert entry["dst_path"] == "/facts/slot3"
    assert entry["data"].keys() == document.keys()
    assert entry["data"]["users"].items() <= document["users"].items()
    assert entry["data"]["subjects"]["dishes"].items() <= document["subjects"]["dishes"].items()
    assert entry["data"]["held"]["3"]["default"].keys() == document["held"]["3"]["default"].keys()


async def test_an_update_says_where_its_document_belongs_and_denies_when_it_does_not_arrive(core: Core) -> None:
    standin = OpalStandIn(200)
    async with standin.serving():
        assert "did not answer within 1 seconds" in (await decided(core, standin.url, standin.url, 1)).chain[0]
    (entry,) = standin.updates[0]["entries"]
    assert (entry["topics"], entry["save_method"], entry["url"]) == (["policy_data"], "PUT", "")
    assert entry["dst_path"] == f"/model/{entry['data']['stamp']}"


@pytest.mark.parametrize(
    ("status", "why"),
    [(401, "OPAL_TOKEN is missing or wrong"), (403, "OPAL_TOKEN"), (500, "OPAL answered with status 500")],
)
async def test_an_opal_that_takes_nothing_denies_and_says_so(core: Core, status: int, why: str) -> None:
    standin = OpalStandIn(status)
    async with standin.serving():
        assert why in (await decided(core, standin.url, standin.url, 10)).chain[0]


async def test_an_opal_that_is_down_or_slow_denies_and_says_so(core: Core) -> None:
    standin, slow = OpalStandIn(200), StuckStandIn()
    async with standin.serving(), slow.serving():
        down = await decided(core, standin.url, f"http://127.0.0.1:{free_port()}", 10)
        assert down.chain == ("OPAL_SERVER_URL: OPAL cannot be reached (ConnectError)",)
        stuck = await decided(core, standin.url, slow.url, 1)
        assert "did not answer within 1 seconds" in stuck.chain[0] or "ReadTimeout" in stuck.chain[0]
        await slow.clients_left(1)


async def test_what_opal_would_lose_is_not_given_to_it(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opal, "MOST_BYTES", 1000)
    standin = OpalStandIn(200)
    async with standin.serving():
        assert "OPAL takes at most 1000 bytes" in (await decided(core, standin.url, standin.url, 10)).chain[0]
    assert standin.updates == []

"""Embedded engine and OPA on random models, facts and questions: no difference in effect, reason or rule."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode
from permit_core.decision.opa_answers import read_answer
from permit_core.decision.opa_client import OpaClient
from permit_core.decision.opa_documents import facts_document, model_document, question, slot_of
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.stores.facts import FactsVersion
from tests.support.opa import RULES, running_opa
from tests.support.random_policies import Round, random_round

pytestmark = pytest.mark.slow  # tens of thousands of questions, and OPA once for each bug

ROUNDS = 100
QUESTIONS = 200
SEED = 20_261_122
Verdict = tuple[str, str, str | None]

# Each takes away or turns one thing in the rules.
BUGS = [
    ("operators.rego", "left < right if", "left <= right if"),
    ("operators.rego", "negated(null) := null", "negated(null) := true"),
    ("conditions.rego", "input.checks[i].user_attributes, user.attributes", "user.attributes, input.checks[i].user_attributes"),
    ("conditions.rego", "\tcount(items) > 0\n", ""),
    ("roles.rego", "\tnot withheld(i, type, key, derivation, rule)\n", ""),
    ("roles.rego", "graph.reachable(resource_extends(type), {role})", "{role}"),
    ("roles.rego", "min([[distance(i, role), place] |", "max([[distance(i, role), place] |"),
    ("decisions.rego", "\tin_resource_set(i, rule)\n", ""),
    ("decisions.rego", "\t\twhen_holds(i, rule)\n", ""),
    ("conditions.rego", "object.get(input.checks[i].call, name", "object.get(user_scope(i), name"),
    ("times.rego", " - offset(parts[8])", ""),
    ("times.rego", "\tfirst[0] == second[0]\n", ""),
    ("decisions.rego", "\tinput.checks[i].key != null\n", ""),
]  # fmt: skip


@dataclass
class Played:
    """What was asked so far, and where the two did not agree: round, check, the engine's verdict, OPA's."""

    effects: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[int, Check, Verdict, Verdict]] = field(default_factory=list)


@pytest.fixture(scope="module")
def opa_url() -> Iterator[str]:
    with running_opa() as url:
        yield url


def verdict_of(decision: Decision) -> Verdict:
    return decision.effect.value, decision.reason_code.value, decision.rule


async def ask_opa(client: OpaClient, drawn: Round, number: int, facts: Facts) -> list[Verdict]:
    """What OPA says to the checks of a round, on these facts."""
    document, version = model_document(drawn.model), FactsVersion(number, f"stamp{number}")
    await client.put(document.path, document.body, document.digest)
    await client.put(f"facts/{slot_of(version)}", facts_document(facts, version), version.stamp)
    answer = read_answer(await client.ask(question(document.digest, version, drawn.checks)), drawn.checks)
    assert not answer.missing
    return [(each.effect.value, each.reason.value, each.rule) for each in answer.decisions]


async def play(url: str, rounds: int) -> Played:
    """Play rounds until one shows a difference."""
    played, client = Played(), OpaClient(url, 60)
    try:
        for number in range(rounds):
            drawn = random_round(SEED + number, QUESTIONS)
            ours = [verdict_of(decide(drawn.model, drawn.facts, check)) for check in drawn.checks]
            theirs = await ask_opa(client, drawn, number, drawn.facts)
            played.effects.update(effect for effect, _, _ in ours)
            played.reasons.update(reason for _, reason, _ in ours)
            compared = zip(drawn.checks, ours, theirs, strict=True)
            played.differences = [(number, check, our, their) for check, our, their in compared if our != their]
            if played.differences:
                break
    finally:
        await client.close()
    return played


@pytest.mark.timeout(900)
async def test_opa_and_the_engine_agree_on_20000_random_questions(opa_url: str) -> None:
    played = await play(opa_url, ROUNDS)
    assert played.differences == []
    assert played.effects.total() == ROUNDS * QUESTIONS == 20_000
    # The questions are worth asking: a third at least is allowed, and nothing is left out.
    assert played.effects[Effect.ALLOW] * 3 >= played.effects.total(), played.effects
    ours = {each.value for each in ReasonCode if not each.startswith("pdp_")} - {"permit_io"}
    assert set(played.reasons) == ours
    assert min(played.reasons.values()) >= 100, played.reasons


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("file", "right", "wrong"), BUGS, ids=[f"{each[0]}-{n}" for n, each in enumerate(BUGS)])
async def test_a_bug_in_the_rules_is_caught(file: str, right: str, wrong: str, tmp_path: Path) -> None:
    rules = shutil.copytree(RULES, tmp_path / "rules")
    text = (rules / file).read_text(encoding="utf-8")
    assert right in text
    (rules / file).write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with running_opa(rules=rules) as url:
        assert (await play(url, ROUNDS)).differences


async def test_a_fact_that_did_not_arrive_is_caught(opa_url: str) -> None:
    client, caught = OpaClient(opa_url, 60), 0
    for number in range(5):
        drawn = random_round(SEED + number, QUESTIONS)
        ours = [verdict_of(decide(drawn.model, drawn.facts, check)) for check in drawn.checks]
        somebody = max(drawn.facts.held, key=lambda who: len(drawn.facts.held[who]))
        fewer = replace(drawn.facts, held={who: held for who, held in drawn.facts.held.items() if who != somebody})
        caught += await ask_opa(client, drawn, number, fewer) != ours
    await client.close()
    assert caught == 5

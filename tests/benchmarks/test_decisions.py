"""The benchmark runs, and says what it should of what it measured."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.company import make_company, questions
from benchmarks.decision_figures import Timing, misses, quietest
from permit_core.access import Effect
from permit_core.policy.engine import decide
from tests.support.environment import PROJECT, bare_environment

pytestmark = pytest.mark.slow


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "benchmarks/decisions.py", *arguments],
        cwd=PROJECT,
        env=bare_environment(ENV_FILE="", COLUMNS="120"),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.timeout(200)
def test_a_short_run_shows_a_small_company_beside_a_large_one() -> None:
    ended = run("--quick", "--only", "engine", "--only", "transaction")
    assert ended.returncode == 0, ended.stderr
    for words in ("100 users", "10,000 users", "target", "ratio", "a denied one and its", "in a transaction"):
        assert words in ended.stdout
    assert "with freshness check" not in ended.stdout


def test_a_part_that_does_not_exist_is_named() -> None:
    ended = run("--only", "nonsense")
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr


def test_much_of_what_is_asked_is_allowed_and_much_is_denied_over_three_levels() -> None:
    company = make_company(100)
    assert len(company.instances) == 1000
    assert len(company.assignments) == 300
    facts, checks = company.facts(), questions(100, 300)
    decisions = [decide(company.model, facts, check) for check in checks]
    allowed = [decision for decision in decisions if decision.allowed]
    assert 100 < len(allowed) < 200
    assert any(len(decision.chain) == 6 for decision in allowed)  # given, two steps of two lines each, granted
    assert {decision.effect for decision in decisions} == {Effect.ALLOW, Effect.DENY}


def test_targets_are_for_the_median_and_for_growth() -> None:
    small = Timing("engine", "a decision", 100, [14_000, 15_000, 99_000], 15.0)
    assert misses([small, Timing("engine", "a decision", 10_000, [15_000], 15.0)]) == []
    assert misses([Timing("engine", "a decision", 100, [15_100], 15.0)]) == ["engine: a decision, 100 users"]
    fast = Timing("engine", "a decision", 100, [5_000], 15.0)
    assert misses([fast, Timing("engine", "a decision", 10_000, [10_000], 15.0)]) == [
        "engine: a decision, grows with the number of users"
    ]
    assert misses([Timing("engine", "a chain", 100, [1]), Timing("engine", "a chain", 10_000, [10**9])]) == []


def test_the_quietest_round_counts() -> None:
    loud, quiet = Timing("engine", "a decision", 100, [9, 9]), Timing("engine", "a decision", 100, [1, 8])
    other = Timing("engine", "a decision", 10_000, [7])
    assert quietest([loud, other, quiet]) == [quiet, other]

"""The benchmark runs; what it measures is nobody's promise here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.figures import Figure, Spawning, percentile
from tests.support.environment import PROJECT, bare_environment

pytestmark = pytest.mark.slow


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "benchmarks/sessions.py", *arguments],
        cwd=PROJECT,
        env=bare_environment(ENV_FILE="", COLUMNS="120"),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.timeout(300)
def test_a_short_run_shows_both_ways_of_spawning_beside_the_targets() -> None:
    ended = run("--only", "turns", "--turns", "3")
    assert ended.returncode == 0, ended.stderr
    for words in (
        "a bare MCP call, p50",
        "plain",
        "forked",
        "target",
        "no tool: all 3 turns, p50",
        "one tool: all 3 turns, p50",
    ):
        assert words in ended.stdout
    assert "opening" not in ended.stdout


def test_a_part_that_does_not_exist_is_named() -> None:
    ended = run("--only", "nonsense")
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr


@pytest.mark.parametrize(("share", "value"), [(0.5, 5.0), (0.95, 10.0), (0.1, 1.0), (1.0, 10.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(10, 0, -1)], share) == value


def test_a_target_is_for_forked_sessions() -> None:
    assert Figure("turns", "p50", Spawning.FORKED, 2.1, "ms", 2.0).missed
    assert not Figure("turns", "p50", Spawning.FORKED, 2.0, "ms", 2.0).missed
    assert not Figure("turns", "p50", Spawning.PLAIN, 9.0, "ms", 2.0).missed
    assert not Figure("turns", "p50", Spawning.FORKED, 9.0).missed

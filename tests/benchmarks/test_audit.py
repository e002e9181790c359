"""The benchmark of audit records runs, and says what it should of what it measured."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.audit import Figure
from tests.support.environment import PROJECT, bare_environment

pytestmark = pytest.mark.slow


def test_a_short_run_shows_each_way_of_writing_beside_its_target() -> None:
    ended = subprocess.run(
        [sys.executable, "benchmarks/audit.py", "--quick"],
        cwd=PROJECT,
        env=bare_environment(ENV_FILE="", COLUMNS="120"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    for words in ("alone, waited for", "an effect's", "callers that wait", "queued and flushed, signed", "<= 25 us"):
        assert words in ended.stdout


def test_a_target_is_missed_by_cost_or_by_rate() -> None:
    assert Figure("x", 26, 20_000, aimed=True).missed
    assert Figure("x", 20, 9_000, aimed=True).missed
    assert not Figure("x", 20, 20_000, aimed=True).missed
    assert not Figure("x", 200, 100).missed

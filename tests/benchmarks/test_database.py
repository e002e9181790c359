"""The benchmark of the database's door runs; what it says is for people."""

import subprocess
import sys

import pytest

from tests.support.environment import PROJECT

pytestmark = pytest.mark.slow


def test_it_tells_each_kind_of_transaction_beside_the_bare_driver() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/database.py", "--quick"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for name in ("read, one function", "write, one function", "write, two statements"):
        assert name in done.stdout

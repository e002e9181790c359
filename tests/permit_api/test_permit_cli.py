"""Two commands of Permit.io's own command line, whose addresses point here: tests are generated, and old checks asked again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.permit_checks import Checks
from tests.support.permit_cli import PermitCli
from tests.support.permit_local import Environment, answer

pytestmark = pytest.mark.slow


@pytest.fixture
def cli(tmp_path: Path, environment: Environment) -> PermitCli:
    return PermitCli(tmp_path, environment.url)


def test_generated_tests_say_what_the_server_decides(
    cli: PermitCli, checks: Checks, environment: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "authz-test.json"
    said = cli.run("test", "generate", "e2e", "--api-key", environment.key, "--path", str(file))
    assert "Config saved to" in said, said
    cases: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["config"]
    assert len(cases) == 4  # a user with the role and one with none, each to read and to write
    for case in cases:
        asked = {"user": {"key": case["user"]}, "action": case["action"], "resource": case["resource"]}
        assert answer(checks.api.post("/allowed", json=asked))["allow"] is case["result"], case
    assert [case["result"] for case in cases].count(True) == 1


def test_kept_checks_are_asked_again_and_what_is_decided_otherwise_is_shown(
    cli: PermitCli, checks: Checks, environment: Environment
) -> None:
    for user, action, key in (("ann", "read", None), ("ann", "write", "one"), ("bob", "read", None)):
        checks.ask(user, action, key)
    command = ("test", "run", "audit", "--api-key", environment.key, "--pdp-url", environment.url)
    said = cli.run(*command)
    assert "Results: 3 matches, 0 differences" in said, said
    held = {"user": "ann", "role": "reader", "tenant": "default"}
    answer(checks.api.request("DELETE", environment.path("facts/role_assignments"), json=held), 204)
    said = cli.run(*command, "--users", "ann", "--action", "read", "--decision", "allow")
    assert "differences" in said, said
    assert "0 differences" not in said, said

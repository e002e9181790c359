"""The rules for OPA: valid by OPA's own strictest reading, formatted, and true to their own tests."""

import json

from permit_core.decision.opa_answers import RULES_VERSION
from permit_core.policy.relations import MAX_STEPS
from tests.support.opa import RULES, opa_command


def test_the_rules_pass_opas_strict_check() -> None:
    done = opa_command("check", "--strict", RULES)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_rules_are_formatted() -> None:
    assert opa_command("fmt", "--list", RULES).stdout == ""


def test_the_rules_pass_their_own_tests_and_every_one_of_them_runs() -> None:
    written = sum(text.count("\ntest_") for text in (file.read_text() for file in RULES.glob("*_test.rego")))
    done = opa_command("test", "--format=json", RULES)
    assert done.returncode == 0, done.stdout
    assert len(json.loads(done.stdout)) == written >= 20


def test_only_one_file_names_the_documents() -> None:
    naming = [
        file.name
        for file in RULES.glob("*.rego")
        if not file.name.endswith("_test.rego")
        and any("data." in line for line in file.read_text().splitlines() if not line.startswith("#"))
    ]
    assert naming == ["documents.rego"]


def test_rules_and_program_mean_the_same_version_and_the_same_number_of_steps() -> None:
    assert f"rules_version := {RULES_VERSION}\n" in (RULES / "decisions.rego").read_text()
    assert f"l{MAX_STEPS}]" in (RULES / "roles.rego").read_text()

from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner, Result

from permit_mcp import server
from permit_mcp.command_line import app, main
from tests.support.core import POLICIES, make_core

POLICY = str(POLICIES / "family_food.yaml")
FACTS = str(POLICIES / "family_food.facts.yaml")


@pytest.fixture(autouse=True)
def _of_the_shipped_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLICY_FILE", POLICY)
    monkeypatch.setenv("TENANT", "default")
    monkeypatch.setenv("DB_NAME", str(tmp_path / "family.db"))
    monkeypatch.delenv("DATABASE_URL", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_valid_policy_is_said_to_be_valid() -> None:
    for arguments in (["policy", "check"], ["policy", "check", POLICY], ["policy", "check", POLICY, "--facts", FACTS]):
        result = run(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"{POLICY}: valid: 3 resource types, 2 roles, 3 rules\n"


def test_every_fault_of_a_policy_is_printed_with_file_line_and_key(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    text = Path(POLICY).read_text(encoding="utf-8")
    broken.write_text(text.replace("restaurant: restaurants", "restaurant: bars").replace("1 hour", "soon"))

    result = run("policy", "check", str(broken))

    assert result.exit_code == 2
    assert result.stdout == ""
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "approval_expires" in each)
    assert result.stderr.startswith(f"{broken}:{line}: operation_approvals.0.approval_expires: expected a duration")


def test_facts_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text(Path(FACTS).read_text(encoding="utf-8").replace("role: child}", "role: baby}"))

    result = run("policy", "check", "--facts", str(facts))

    assert result.exit_code == 2
    assert "role_assignments.2.role: expected a tenant role of the policy" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "lines"),
    [
        (["3", "order", "dishes:1-cheese-pizza"], 0, ["allow: user 3 (Henry) order dishes:1-cheese-pizza", "by set_rules.0"]),
        (["henry", "order", "dishes:1-cheese-pizza"], 0, ["allow: user 3 (Henry)"]),
        (
            ["3", "read", "restaurants:3"],
            1,
            ["deny:", "reason: no_permission", "access request: role child-can-view on restaurants:3"],
        ),
        (
            ["3", "order", "dishes:1-pepperoni-pizza"],
            3,
            ["require_approval:", "operation approval: order dishes:1-pepperoni-pizza once"],
        ),
        (["3", "order", "dishes:1-cheese-pizza", "--attribute", "price_cents=1001"], 3, ["require_approval:"]),
        (["3", "order", "dishes:1-cheese-pizza", "--attribute", "price_cents=cheap"], 3, ["require_approval:"]),
        (["3", "order", "dishes:1-cheese-pizza", "--attribute", "price_cents=NaN"], 3, ["require_approval:"]),
        (["stranger", "read", "restaurants:1"], 1, ["deny: user stranger read", "reason: no_such_user"]),
        (["1", "create", "restaurants"], 0, ["reason: tenant_role, by roles.parent"]),
        (["1", "read", "restaurants:1", "--tenant", "nowhere"], 1, ["reason: no_such_tenant"]),
        (["1", "read", "restaurants:1", "--user-attribute", "a=1", "--context", "b=2"], 0, ["allow"]),
    ],
)  # fmt: skip
def test_explain_prints_decision_chain_and_remedy_and_tells_by_its_exit_code(
    arguments: list[str], code: int, lines: list[str]
) -> None:
    result = run("policy", "explain", *arguments, "--facts", FACTS)

    assert result.exit_code == code, result.output
    for line in lines:
        assert line in result.stdout
    assert "because:\n  " in result.stdout


def test_explain_answers_on_the_facts_of_the_database(tmp_path: Path) -> None:
    async def seeded() -> None:
        core = await make_core(tmp_path)
        await core.close()

    anyio.run(seeded)

    result = run("policy", "explain", "rose", "order", "dishes:2-fries")

    assert result.exit_code == 0, result.output
    assert "  user 4 has role child-can-view on restaurants:2\n" in result.stdout


def test_explain_without_a_database_says_how_to_get_facts_and_makes_none(tmp_path: Path) -> None:
    result = run("policy", "explain", "3", "read", "restaurants:1")

    assert result.exit_code == 2
    assert "there is no database" in result.stderr
    assert "--facts" in result.stderr
    assert not (tmp_path / "family.db").exists()


def test_explain_on_an_empty_database_says_how_to_fill_it(tmp_path: Path) -> None:
    async def empty() -> None:
        core = await make_core(tmp_path, facts=False)
        await core.close()

    anyio.run(empty)

    result = run("policy", "explain", "3", "read", "restaurants:1")

    assert result.exit_code == 2
    assert "holds no facts yet; start the server once" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["policy", "explain", "3", "read"],
        ["policy", "explain", "3", "read", "a:b:c", "--facts", FACTS],
        ["policy", "explain", "3", "read", "restaurants:1", "--attribute", "x", "--facts", FACTS],
        ["policy", "explain", "3", "read", "restaurants:1", "--facts", "nowhere.yaml"],
        ["policy", "explain", "3", "read", "restaurants:1", "--policy", "nowhere.yaml", "--facts", FACTS],
        ["policy", "check", "nowhere.yaml"],
        ["policy", "test", "nowhere.yaml"],
    ],
)
def test_a_question_that_cannot_be_asked_exits_with_2(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert result.stderr
    assert "Traceback" not in result.output


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    result = run("policy", "explain", "3\x1b[31m", "read\x07", "restaurants:1", "--facts", FACTS)

    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_the_shipped_scenarios_come_true() -> None:
    for arguments in (["policy", "test"], ["policy", "test", POLICY]):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith("scenarios come true\n")


def test_each_row_that_fails_is_printed_with_its_line(tmp_path: Path) -> None:
    shipped = POLICIES / "family_food.scenarios.yaml"
    text = shipped.read_text(encoding="utf-8").replace("policy: family_food", f"policy: {POLICIES}/family_food")
    text = text.replace("facts: family_food", f"facts: {POLICIES}/family_food")
    table = tmp_path / "mine.scenarios.yaml"
    table.write_text(text.replace("expect: deny, reason: tenant_mismatch", "expect: allow"), encoding="utf-8")

    result = run("policy", "test", str(table))

    assert result.exit_code == 1
    assert result.stdout.count("  expected: allow\n  found:    deny\n") == 2
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "Not from here" in each)
    assert f"{table}:{line}: Not from here\n" in result.stdout


def test_serve_hands_over_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def serving(arguments: list[str]) -> int:
        calls.append(arguments)
        return 0

    monkeypatch.setattr(server, "main", serving)

    assert run("serve").exit_code == 0
    assert run("serve", "--acting-user", "3").exit_code == 0
    assert calls == [[], ["--acting-user", "3"]]


def test_the_script_lists_its_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["permit-mcp", "--help"])

    with pytest.raises(SystemExit) as left:
        main()

    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("policy", "audit", "serve"))

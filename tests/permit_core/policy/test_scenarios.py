from pathlib import Path

import pytest

from permit_core.errors import PolicyFileError
from permit_core.policy.scenarios import play_scenarios, scenarios_beside
from tests.support.core import POLICIES

TABLE = f"""\
policy: {POLICIES / "family_food.yaml"}
facts: {POLICIES / "family_food.facts.yaml"}
decisions:
  - {{name: A child reads, user: "3", action: read, resource: "restaurants:1", expect: allow}}
  - {{name: A child may not read, user: "3", action: read, resource: "restaurants:3", expect: deny, reason: no_permission,
     ask_for: [{{role: child-can-view, resource_instance: "restaurants:3"}}]}}
tools:
  - {{name: Nobody, roles: [], sees: []}}
"""


def play(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "x.scenarios.yaml"
    file.write_text(text, encoding="utf-8")
    return [
        f"{failure.line}: {failure.name}: {failure.expected} / {failure.found}"
        for failure in play_scenarios(file).failures
    ]


@pytest.mark.parametrize("table", sorted(POLICIES.glob("*.scenarios.yaml")), ids=lambda path: path.name)
def test_every_shipped_scenario_comes_true(table: Path) -> None:
    report = play_scenarios(table)

    assert report.failures == ()
    assert report.played >= 40


def test_the_scenarios_of_calls_show_each_pair_of_the_order() -> None:
    written = (POLICIES / "transfers.scenarios.yaml").read_text(encoding="utf-8")

    for pair in ("Never before quota", "Never before what nothing allows", "Never before confirm", "Quota before what nothing allows",
                 "Quota before confirm", "Nothing allows it and a role would help", "the other gate still stands",
                 "Up to 100 freely", "Above with a yes", "Never to a stranger"):  # fmt: skip
        assert pair in written


CALLS = f"""\
policy: {POLICIES / "transfers.yaml"}
facts: {POLICIES / "transfers.facts.yaml"}
calls:
  - {{name: Pay, user: ann, tool: transfer, arguments: {{account: a1, payee: baker, amount: 101}}, expect: hold, rule: tools.transfer.confirm.0}}
"""


@pytest.mark.parametrize(
    ("old", "new", "failure"),
    [
        ("expect: hold", "expect: allow", "4: Pay: allow, rule tools.transfer.confirm.0 / hold, rule tools.transfer.confirm.0"),
        ("expect: hold", "expect: hold, by: self", "by self / "),
        ("expect: hold", "expect: hold, code: never", "code never"),
        ("expect: hold", 'expect: hold, ask_for: [{role: owner, resource_instance: "accounts:a1"}]', "ask for owner on accounts:a1"),
        ("expect: hold", "spent: [500], expect: hold", "/ refuse, rule tools.transfer.quota.0"),
        ("expect: hold", 'expect: hold, retry_at: "2026-01-02T00:00:00Z"', "retry_at None"),
    ],
)  # fmt: skip
def test_a_call_that_is_judged_otherwise_says_what_was_expected_and_found(
    tmp_path: Path, old: str, new: str, failure: str
) -> None:
    (found,) = play(tmp_path, CALLS.replace(old, new))

    assert failure in found


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("tool: transfer", "prompt: x, tool: transfer", "expected one of tool, mcp_resource and prompt"),
        ("tool: transfer, ", "", "expected one of tool, mcp_resource and prompt"),
        ("expect: hold", "at: tomorrow, expect: hold", "expected a moment such as"),
        ("expect: hold", 'at: "08:30", expect: hold', "expected a moment such as"),
        ("expect: hold", 'at: "0001-01-01T00:00+23:00", expect: hold', "expected a moment of the years 1 to 9999"),
        ("expect: hold", "expect: maybe", "'allow', 'refuse' or 'hold'"),
    ],
)
def test_a_row_of_a_call_that_cannot_be_played_is_an_error(tmp_path: Path, old: str, new: str, error: str) -> None:
    with pytest.raises(PolicyFileError, match=error):
        play(tmp_path, CALLS.replace(old, new))


def test_the_shipped_scenarios_visit_every_rule_role_and_reason() -> None:
    written = (POLICIES / "family_food.scenarios.yaml").read_text(encoding="utf-8")

    for word in ("price_cents: 1000", "price_cents: 1001", "tenant_mismatch", "no_such_tenant", "condition_set",
                 "instance_role", "tenant_role", "approval_needed", "no_permission", "no_such_user",
                 "no_such_instance", "no_such_resource", "no_such_action", "ask_for: [{role", "ask_for: [{operation"):  # fmt: skip
        assert word in written


def test_a_table_that_comes_true_has_no_failures(tmp_path: Path) -> None:
    assert play(tmp_path, TABLE) == []


@pytest.mark.parametrize(
    ("old", "new", "failure"),
    [
        ("expect: allow", "expect: deny", "4: A child reads: deny / allow"),
        (
            "expect: allow",
            "expect: allow, reason: tenant_role",
            "4: A child reads: allow, because of tenant_role / allow, because of instance_role",
        ),
        (
            'ask_for: [{role: child-can-view, resource_instance: "restaurants:3"}]',
            "ask_for: []",
            "5: A child may not read: deny, because of no_permission, ask for nothing / "
            "deny, because of no_permission, ask for child-can-view on restaurants:3",
        ),
        ("sees: []", "sees: [fly]", "8: Nobody: sees fly / sees nothing"),
    ],
)
def test_a_row_that_does_not_come_true_says_what_was_found(tmp_path: Path, old: str, new: str, failure: str) -> None:
    assert old in TABLE
    assert play(tmp_path, TABLE.replace(old, new, 1)) == [failure]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("expect: allow", "expect: perhaps", ":4: decisions.0.expect: expected 'allow'"),
        ("expect: allow", "expects: allow", ":4: decisions.0.expects: expected one of the keys name, user"),
        ('resource: "restaurants:1"', 'resource: "a:b:c"', ":4: decisions.0.resource: expected a resource type"),
        (
            "expect: allow",
            'expect: allow, given: {role_assignments: [{user: "3", role: king}]}',
            ":4: decisions.0.given.role_assignments.0.role: expected a tenant role",
        ),
        (
            "tools:",
            'given: {users: [{key: "3", first_name: Rose}]}\ntools:',
            ":7: given.users.0.key: expected every key once",
        ),
    ],
)
def test_a_broken_table_is_an_error_at_its_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        play(tmp_path, TABLE.replace(old, new, 1))

    assert place in str(caught.value)


def test_given_facts_count_for_their_row_alone(tmp_path: Path) -> None:
    given = 'given: {role_assignments: [{user: "3", role: child-can-view, resource_instance: "restaurants:3"}]}'
    row = f'  - {{name: Granted, user: "3", action: read, resource: "restaurants:3", expect: allow, {given}}}\n'

    assert play(tmp_path, TABLE.replace("decisions:\n", f"decisions:\n{row}")) == []


def test_the_table_is_kept_beside_the_policy() -> None:
    assert scenarios_beside("a/food.yaml") == Path("a/food.scenarios.yaml")
    assert scenarios_beside("a/food.scenarios.yaml") == Path("a/food.scenarios.yaml")

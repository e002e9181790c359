from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server.mcpserver import MCPServer
from typer.testing import CliRunner, Result

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import open_core
from permit_core.identity import Actor
from permit_mcp import PermitServer, server
from permit_mcp.command_line import app, main
from permit_mcp.policy_commands import BUILT_IN_TOOLS
from tests.support.core import POLICIES, family_settings, make_core

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


@pytest.mark.parametrize(
    ("resource", "note"),
    [
        ("files:report.txt", 'files:"report.txt" is no key: decided by its type'),
        ("files:a b/\x1bc.md", 'files:"a b/\\u001bc.md" is no key: decided by its type'),
    ],
)
def test_what_can_be_no_key_is_explained_by_its_type_as_a_guarded_tool_is_judged(
    tmp_path: Path, resource: str, note: str
) -> None:
    assert run("init", str(tmp_path)).exit_code == 0
    files = ["--policy", str(tmp_path / "policy.yaml"), "--facts", str(tmp_path / "facts.yaml")]

    result = run("policy", "explain", "bot", "read", resource, *files)

    assert result.exit_code == 0
    assert note in result.stdout


def test_of_what_is_not_stored_it_is_said_how_a_guarded_tool_decides() -> None:
    result = run("policy", "explain", "henry", "order", "dishes:nowhere", "--facts", FACTS)

    assert result.exit_code == 1
    assert "a guarded tool decides on what is not stored by its type: deny" in result.stdout


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


TRANSFERS = str(POLICIES / "transfers.yaml")


def old_policy(tmp_path: Path) -> Path:
    """The family's policy as it was written in version 1."""
    file = tmp_path / "old.yaml"
    text = Path(POLICY).read_text(encoding="utf-8")
    file.write_text(text.replace("version: 2", "version: 1").removesuffix("...\n"), encoding="utf-8")
    return file


def test_a_policy_of_version_1_is_valid_warned_of_and_brought_forward_in_place(tmp_path: Path) -> None:
    file = old_policy(tmp_path)
    file.chmod(0o640)
    before = file.read_text(encoding="utf-8")

    result = run("policy", "check", str(file))
    assert result.exit_code == 0
    assert "warning: version 1 does not say where the file ends" in result.stderr
    assert file.read_text(encoding="utf-8") == before

    result = run("policy", "check", str(file), "--write")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{file}: brought forward to version 2\n{file}: valid")
    assert file.read_text(encoding="utf-8") == Path(POLICY).read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["old.yaml"]

    assert "brought forward" not in run("policy", "check", str(file), "--write").stdout


def test_a_file_that_cannot_be_written_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = old_policy(tmp_path)

    def no_room(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_room)
    result = run("policy", "check", str(file), "--write")

    assert result.exit_code == 2
    assert "cannot be written: No space left on device; nothing was changed" in result.stderr
    assert "version: 1" in file.read_text(encoding="utf-8")


def test_a_policy_that_was_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "cut.yaml"
    text = Path(POLICY).read_text(encoding="utf-8")
    file.write_text(text[: text.index("\naccess_requests:")], encoding="utf-8")

    result = run("policy", "check", str(file))

    assert result.exit_code == 2
    assert "expected ... as the last line" in result.stderr
    assert "cut short" in result.stderr


def test_a_tool_that_is_nearly_one_of_ours_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    text = Path(POLICY).read_text(encoding="utf-8").replace("- list_access_requests", "- list_acess_requests", 1)
    file.write_text(text.replace("\ntools:\n", "\ntools:\n  deny_access_reqest: open\n  own_tool: open\n"))

    result = run("policy", "check", str(file))

    assert result.exit_code == 0
    assert "roles.parent.tools: list_acess_requests is no tool of this library" in result.stderr
    assert "did you mean 'list_access_requests'?" in result.stderr
    assert "tools.deny_access_reqest: its name is nearly that of a tool of this library" in result.stderr
    assert "own_tool" not in result.stderr
    assert "order_dish" not in result.stderr


async def test_the_built_in_tools_are_those_a_server_has(tmp_path: Path) -> None:
    core = await make_core(tmp_path)
    mcp = MCPServer("any")
    PermitServer(mcp, core=core)
    assert {tool.name for tool in await mcp.list_tools()} == BUILT_IN_TOOLS
    await core.close()


def test_facts_deeper_than_roles_reach_are_warned_of(tmp_path: Path) -> None:
    policy, facts = tmp_path / "policy.yaml", tmp_path / "facts.yaml"
    policy.write_text(
        "version: 2\nname: Deep\nresources:\n  node:\n    actions: [read]\n    relations: {parent: node}\n    roles:\n"
        "      editor: {permissions: [read], granted_to: {users_with_role: [{role: editor, on_resource: node, "
        "linked_by_relation: parent}]}}\n...\n"
    )
    nodes = "".join(f"  - {{resource: node, key: n{n}}}\n" for n in range(18))
    links = "".join(f'  - {{subject: "node:n{n}", relation: parent, object: "node:n{n + 1}"}}\n' for n in range(17))
    facts.write_text(f"tenants: [{{key: t, name: T}}]\nresource_instances:\n{nodes}relationship_tuples:\n{links}")

    result = run("policy", "check", str(policy), "--facts", str(facts))

    assert result.exit_code == 0
    assert "warning: above node:n17 there are more than 16 relations in a row" in result.stderr


def test_what_is_stored_and_no_longer_known_is_named(tmp_path: Path) -> None:
    async def seeded() -> None:
        core = await make_core(tmp_path)
        await core.close()

    anyio.run(seeded)
    result = run("policy", "check", "--database")
    assert result.exit_code == 0, result.output
    assert "the policy knows all names stored" in result.stdout

    renamed = tmp_path / "renamed.yaml"
    renamed.write_text(Path(POLICY).read_text(encoding="utf-8").replace("child-can-view", "child-may-view"))
    result = run("policy", "check", str(renamed), "--database")
    assert result.exit_code == 1
    assert "role restaurants#child-can-view is held by 2 users (3, 4)" in result.stdout
    assert "did you mean 'child-may-view'?" in result.stdout
    assert "unknown to the policy: 1\n" in result.stdout

    async def started_under_the_other_policy() -> None:
        core = await open_core(family_settings(tmp_path, policy_file=str(renamed)))
        await core.close()

    anyio.run(started_under_the_other_policy)
    result = run("policy", "check", "--database")
    assert result.exit_code == 1
    assert "the grant of role child-can-view to user 3 on restaurants:1 sleeps since 20" in result.stdout
    assert "unknown to the policy: 4\n" in result.stdout
    result = run("policy", "explain", "henry", "read", "restaurants:4")
    assert "note: another policy is in force there" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["henry", "ordr", "dishes:1-fries"], "dishes has no action ordr: there are order, read, review"),
        (["henry", "order", "dish:1-fries"], "no resource type dish: there are dishes, restaurants, orders"),
        (["henri", "order", "dishes:2-fries"], "no user henri: there are Henry, 1, Joe, 2, Jane, 3, 4, Rose"),
        (["henry", "order", "dishes:2-frys"], "no dishes 2-frys in tenant default: there are 2-fries, "),
        (["henry", "read", "restaurants:1", "--tenant", "defalt"], "no tenant defalt: there is default"),
        (["nobody", "eat", "dishes:nothing", "--tenant", "x"], "no user nobody: there are "),
    ],
)
def test_explain_names_what_is_there_for_whatever_is_not(arguments: list[str], line: str) -> None:
    result = run("policy", "explain", *arguments, "--facts", FACTS)

    assert result.exit_code == 1
    assert line in result.stdout
    if arguments[0] == "nobody":
        for more in ("no tenant x", "dishes has no action eat", "no dishes nothing in tenant x: there is none"):
            assert more in result.stdout


def test_explain_takes_the_arguments_of_a_call(tmp_path: Path) -> None:
    policy, facts = tmp_path / "policy.yaml", str(POLICIES / "transfers.facts.yaml")
    text = Path(TRANSFERS).read_text(encoding="utf-8").removesuffix("...\n")
    policy.write_text(
        text + "set_rules:\n  - {user_set: bookkeeper, is_role: true, permission: 'accounts:transfer', "
        "resource_set: accounts, is_resource: true, when: {call.amount: {less-than: 5}}}\n...\n"
    )
    asked = [
        "policy",
        "explain",
        "ben",
        "transfer",
        "accounts:a1",
        "--policy",
        str(policy),
        "--facts",
        facts,
        "--tenant",
        "home",
    ]

    assert run(*asked, "--call", "amount=4").exit_code == 0
    assert run(*asked, "--call", "amount=5").exit_code == 1
    assert run(*asked, "--attribute", "amount=4").exit_code == 1


def test_a_table_under_another_name_is_played_and_one_that_is_not_there_is_looked_for_by_name(tmp_path: Path) -> None:
    table = tmp_path / "sc.yaml"
    text = Path(POLICIES / "transfers.scenarios.yaml").read_text(encoding="utf-8")
    table.write_text(text.replace("policy: ", f"policy: {POLICIES}/").replace("facts: ", f"facts: {POLICIES}/"))

    result = run("policy", "test", str(table))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "41 of 41 scenarios come true" in result.stdout

    lonely = old_policy(tmp_path)
    result = run("policy", "test", str(lonely))
    assert result.exit_code == 2
    assert f"{tmp_path}/old.scenarios.yaml: there is no scenario table; put one there, beside old.yaml" in result.stderr


def test_what_a_changed_policy_loosens_is_said(tmp_path: Path) -> None:
    after = tmp_path / "transfers.yaml"
    text = Path(TRANSFERS).read_text(encoding="utf-8")
    after.write_text(text.replace("most: 500", "most: 600").replace("permissions: [accounts:read]", "permissions: [accounts:read, accounts:transfer]"))  # fmt: skip
    table = str(POLICIES / "transfers.scenarios.yaml")

    result = run("policy", "compare", TRANSFERS, str(after), "--scenarios", table)

    assert result.exit_code == 1
    assert "tools.transfer: quota 500 call.amount per 1 day is gone or larger" in result.stdout
    assert "Nothing allows it and a role would help: refuse becomes hold" in result.stdout
    assert "And not more: refuse becomes allow" in result.stdout
    assert "Never to a stranger" not in result.stdout

    result = run("policy", "compare", TRANSFERS, TRANSFERS)
    assert (result.exit_code, result.stdout) == (0, "nothing was found that the new policy loosens\n")
    family = run("policy", "compare", POLICY, POLICY, "--scenarios", str(POLICIES / "family_food.scenarios.yaml"))
    assert family.exit_code == 0
    assert run("policy", "compare", str(after), TRANSFERS).exit_code == 0


def test_what_a_changed_policy_loosens_is_also_tried_on_what_was_asked_lately(tmp_path: Path) -> None:
    async def asked() -> None:
        core = await make_core(tmp_path)
        henry = Actor("default", core.settings.tenant, "3")
        await core.pdp.decide(Check(henry, "order", ResourceRef("dishes", "1-pepperoni-pizza")))
        await core.close()

    anyio.run(asked)
    after = tmp_path / "after.yaml"
    after.write_text(
        Path(POLICY).read_text(encoding="utf-8").replace("less-than-equals: 1000", "less-than-equals: 1100")
    )

    result = run("policy", "compare", POLICY, str(after), "--database")

    assert result.exit_code == 1, result.output
    assert result.stdout == (
        "1 of the last 1 checks, such as user 3 order dishes:1-pepperoni-pizza in tenant default: "
        "require_approval becomes allow (set_rules.0)\n"
    )
    assert run("policy", "compare", POLICY, str(after)).exit_code == 0

"""``permit-mcp facts load``: what was taken away or removed stays so, unless it is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from permit_core.access import ResourceRef
from permit_core.bootstrap import Core
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment
from permit_core.ports.record import AuditEvent
from permit_core.settings import Settings
from permit_mcp import terminal
from permit_mcp.command_line import app
from permit_mcp.core_source import open_filled_core
from tests.permit_mcp.test_account_commands import Person

POLICY = """\
version: 2
name: Files
operators: [me]
resources:
  folders: {actions: [read], roles: {owner: {permissions: [read]}}}
  files:
    actions: [read]
    relations: {folder: folders}
    roles: {owner: {permissions: [read]}}
roles:
  clerk: {permissions: ["files:read"]}
...
"""
FACTS = """\
tenants: [{key: default, name: Default}, {key: other, name: Other}]
users:
  - {key: me, first_name: Me}
  - {key: ann, first_name: Ann}
  - {key: bob, first_name: Bob}
resource_instances:
  - {resource: folders, key: f}
  - {resource: files, key: a}
  - {resource: files, key: b}
  - {resource: files, key: o, tenant: other}
relationship_tuples:
  - {subject: "folders:f", relation: folder, object: "files:a"}
  - {subject: "folders:f", relation: folder, object: "files:b"}
role_assignments:
  - {user: ann, role: clerk}
  - {user: ann, role: owner, resource_instance: "files:a"}
  - {user: bob, role: clerk}
  - {user: bob, role: owner, resource_instance: "files:b"}
  - {user: bob, role: clerk, tenant: other}
"""
NOISE = 120
"""More records than one look at the log gives."""


@pytest.fixture
def folder(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("policy", POLICY), ("facts", FACTS)):
        (files / f"{name}.yaml").write_text(text)
        monkeypatch.setenv(f"{name.upper()}_FILE", str(files / f"{name}.yaml"))
    return files


def after(work: Callable[[Core], Awaitable[Any]]) -> None:
    """Fill the database from the file, change it, and have much else happen in between."""

    async def whole() -> None:
        core = await open_filled_core(Settings.load())
        try:
            for number in range(NOISE):
                await core.audit.note(AuditEvent("role.asleep", core.system, {"number": number}))
            await work(core)
            await core.audit.note(AuditEvent("tool.call", core.system, {}))
        finally:
            await core.close()

    asyncio.run(whole())


def load(*options: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["facts", "load", "facts.yaml", "--json", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


FILE_A = ResourceRef("files", "a")


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        (
            lambda core: core.directory.unassign(core.system, RoleAssignment("ann", "clerk", "default")),
            {"ann:clerk"},
        ),
        (
            lambda core: core.directory.remove_user(core.system, "bob"),
            {"user=bob", "bob:clerk", "bob:owner:files:b", "other/bob:clerk"},
        ),
        (
            lambda core: core.directory.remove_instance(core.system, FILE_A),
            {"instance=files:a", "ann:owner:files:a", "relationship=folders:f:folder:files:a"},
        ),
        (
            lambda core: core.directory.remove_tenant(core.system, "other"),
            {"tenant=other", "instance=files:o", "other/bob:clerk"},
        ),
        (
            lambda core: core.directory.unrelate(
                core.system, RelationshipTuple(ResourceRef("folders", "f"), "folder", FILE_A, "default")
            ),
            {"relationship=folders:f:folder:files:a"},
        ),
    ],
    ids=["role", "user", "instance", "tenant", "relationship"],
)
def test_what_was_removed_long_ago_does_not_come_back_with_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, removed: Callable[[Core], Awaitable[Any]], left: set[str]
) -> None:
    monkeypatch.chdir(folder)
    after(removed)
    answer = load()
    assert answer["changes"] == []
    assert {line.partition("--bring-back ")[2].rstrip(")") for line in answer["left"]} == left
    person = Person("y")
    monkeypatch.setattr(terminal, "TERMINAL", person.name)
    answer = load(*[word for name in sorted(left) for word in ("--bring-back", name)])
    person.leave()
    assert (len(answer["changes"]), answer["left"], answer["done"]) == (len(left), [], True)
    assert load() == {"changes": [], "left": [], "done": True}


def test_what_is_about_something_removed_is_left_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    after(lambda core: core.directory.remove_user(core.system, "bob"))
    (folder / "facts.yaml").write_text(FACTS + '  - {user: bob, role: owner, resource_instance: "files:a"}\n')
    answer = load()
    assert answer["changes"] == []
    assert "give bob the role owner on files:a: what it is about was taken away" in answer["left"]


def test_what_came_back_by_a_persons_word_is_no_more_taken_for_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def back_and_forth(core: Core) -> None:
        user = await core.directory.user(core.environment, "bob")
        assert user is not None
        await core.directory.remove_user(core.system, "bob")
        await core.directory.put_user(core.system, user)

    monkeypatch.chdir(folder)
    after(back_and_forth)
    assert not any("user=bob" in line for line in load()["left"])


def test_a_name_that_the_file_would_not_add_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["facts", "load", "facts.yaml", "--bring-back", "user=eve"])
    assert (done.exit_code, "would not add: user=eve" in done.output) == (2, True)


CHANGED = FACTS.replace(
    "- {key: ann, first_name: Ann}", "- {key: ann, first_name: Anne, attributes: {age: 10}}"
).replace("- {resource: files, key: a}", "- {resource: files, key: a, attributes: {size: 2}}")


def test_what_the_database_has_otherwise_is_said_and_stays_unless_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the database, which is the truth, has it otherwise because somebody changed it there."""
    monkeypatch.chdir(folder)
    (folder / "policy.yaml").write_text(
        POLICY.replace("  files:\n", "  files:\n    attributes: {size: {type: number}}\n").replace(
            "resources:\n", "user_attributes: {age: {type: number}}\nresources:\n"
        )
    )
    after(lambda core: core.directory.put_instance(core.system, ResourceInstance(FILE_A, "default", {"size": 1})))
    (folder / "facts.yaml").write_text(CHANGED)
    answer = load()
    assert answer["changes"] == []
    assert answer["left"] == [
        'change the user ann: attributes.age nothing -> 10, first_name "Ann" -> "Anne" (--change user=ann)',
        "change files:a: attributes.size 1 -> 2 (--change instance=files:a)",
    ]
    person = Person("y")
    monkeypatch.setattr(terminal, "TERMINAL", person.name)
    answer = load("--change", "instance=files:a")
    person.leave()
    assert (answer["changes"], len(answer["left"]), answer["done"]) == (
        ["change files:a: attributes.size 1 -> 2"], 1, True,
    )  # fmt: skip
    done = CliRunner().invoke(app, ["facts", "load", "facts.yaml", "--change", "instance=files:a"])
    assert (done.exit_code, "would not change: instance=files:a" in done.output) == (2, True)


REVIEWED = (
    POLICY.replace("    actions: [read]\n    relations", "    actions: [read, review]\n    relations")
    .replace(
        "    roles: {owner: {permissions: [read]}}\nroles:\n",
        "    roles: {owner: {permissions: [read]}, keeper: {permissions: [review]}, "
        'deputy: {extends: [keeper]}, second: {permissions: ["files:review"]}}\nroles:\n'
        '  chief: {permissions: ["files:review"]}\n',
    )
    .replace(
        "...\n",
        "access_requests:\n  - {resource: files, role: owner, asked_by: [clerk], review_action: review, pending_expires: 1 day}\n"
        "...\n",
    )
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["ann", "chief"],
        ["ann", "keeper", "files:a"],
        ["bob", "owner", "files:a"],
        ["ann", "deputy", "files:a"],
        ["ann", "second", "files:a"],
    ],
)
def test_an_operator_gives_and_takes_no_right_to_decide_that_they_do_not_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "policy.yaml").write_text(REVIEWED)
    for verb in ("grant", "revoke"):
        refused = CliRunner().invoke(app, [verb, *arguments])
        assert (refused.exit_code, "not_a_reviewer" in refused.output) == (2, True)
    user, role, *on = arguments
    more = f"  - {{user: {user}, role: {role}{f', resource_instance: {on[0]!r}' if on else ''}}}\n"
    (folder / "facts.yaml").write_text(FACTS + more)
    refused = CliRunner().invoke(app, ["facts", "load", "facts.yaml"])
    assert (refused.exit_code, "not_a_reviewer" in refused.output) == (2, True)
    after(lambda core: core.directory.assign(core.system, RoleAssignment("me", "chief", "default")))
    for verb in ("grant", "revoke"):
        done, _ = typed(monkeypatch, "y", verb, *arguments)
        assert (done.exit_code, "Done." in done.output) == (0, True), done.output


def typed(monkeypatch: pytest.MonkeyPatch, answer: str, *arguments: str) -> tuple[Any, str]:
    """What a command that asks once says, and what stood at the terminal."""
    person = Person(answer)
    monkeypatch.setattr(terminal, "TERMINAL", person.name)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    person.leave()
    return done, person.seen


def roles_of(user: str) -> set[str]:
    listed = json.loads(CliRunner().invoke(app, ["users", "--json"]).stdout)
    return {role for entry in listed if entry["user"] == user for role in entry["roles"]}


def test_a_role_is_given_until_a_time_and_for_another_and_for_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    after(lambda core: core.directory.unassign(core.system, RoleAssignment("ann", "clerk", "default")))
    done, seen = typed(monkeypatch, "y", "grant", "ann", "clerk", "--for", "7d")
    assert "give ann the role clerk, until 20" in seen
    assert (done.exit_code, roles_of("ann")) == (0, {"clerk", "owner on files:a"})
    done, seen = typed(monkeypatch, "y", "grant", "ann", "clerk", "--until", "2100-01-01 00:00")
    assert "until 2100-01-01 00:00" in seen
    assert "and no more until 20" in seen
    done, seen = typed(monkeypatch, "y", "grant", "ann", "clerk")
    assert "for good and no more until 2100-01-01" in seen
    assert "It is so already" in CliRunner().invoke(app, ["grant", "ann", "clerk"]).output
    done, _ = typed(monkeypatch, "y", "grant", "ann", "clerk", "--for", "1 second")
    assert done.exit_code == 0
    ended = CliRunner().invoke(app, ["grant", "ann", "clerk", "--until", "2020-01-01"])
    assert (ended.exit_code, "is over" in ended.output) == (2, True)


def test_a_grant_that_sleeps_is_woken_and_taken_away_by_a_persons_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    after(lambda core: asyncio.sleep(0))
    monkeypatch.delenv("FACTS_FILE")
    without = POLICY.replace('  clerk: {permissions: ["files:read"]}\n', '  other: {permissions: ["files:read"]}\n')
    (folder / "policy.yaml").write_text(without)
    assert roles_of("ann") == {"owner on files:a"}
    (folder / "policy.yaml").write_text(POLICY)
    assert roles_of("ann") == {"owner on files:a"}
    done, _ = typed(monkeypatch, "y", "revoke", "bob", "clerk")
    assert (done.exit_code, "Done." in done.output) == (0, True)
    done, _ = typed(monkeypatch, "y", "grant", "ann", "clerk")
    assert (done.exit_code, roles_of("ann")) == (0, {"clerk", "owner on files:a"})
    assert "It is so already" in CliRunner().invoke(app, ["revoke", "bob", "clerk"]).output


def test_relationships_that_sleep_are_named_and_woken_by_a_persons_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    after(lambda core: asyncio.sleep(0))
    monkeypatch.delenv("FACTS_FILE")
    (folder / "policy.yaml").write_text(POLICY.replace("    relations: {folder: folders}\n", ""))
    assert roles_of("bob")
    (folder / "policy.yaml").write_text(POLICY)
    named = CliRunner().invoke(app, ["policy", "check", "--database"])
    assert named.exit_code == 1
    assert "2 relationships that are folder of folders to files sleep since" in named.output
    done, seen = typed(monkeypatch, "y", "facts", "load", "facts.yaml")
    assert (done.exit_code, "relate folders:f as folder to files:a" in seen) == (0, True)
    assert CliRunner().invoke(app, ["policy", "check", "--database"]).exit_code == 0


def test_nothing_is_done_when_the_database_changed_while_the_person_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    after(lambda core: core.directory.unassign(core.system, RoleAssignment("ann", "clerk", "default")))
    (folder / "facts.yaml").write_text(FACTS + '  - {user: bob, role: owner, resource_instance: "files:a"}\n')

    async def meanwhile(*_: Any) -> bool:
        core = await open_filled_core(Settings.load())
        try:
            await core.directory.remove_user(core.system, "bob")
        finally:
            await core.close()
        return True

    monkeypatch.setattr("permit_mcp.directory_commands.confirmed", meanwhile)
    done = CliRunner().invoke(app, ["facts", "load", "facts.yaml"])
    assert (done.exit_code, "changed_meanwhile" in done.output) == (2, True)

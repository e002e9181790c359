"""A policy file that changes while programs run: taken up, refused, or waiting for an operator; said and on record."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from permit_core.access import Check, Effect, ResourceRef
from permit_core.audit.comparisons import PolicyComparison
from permit_core.bootstrap import Core, assemble, open_core
from permit_core.database import Database
from permit_core.entries import ResourceInstance, RoleAssignment, User
from permit_core.errors import ConfigurationError, StoreError, UserFacing
from permit_core.identity import Actor
from permit_core.policy.loader import read_policy, text_hash
from permit_core.policy_source import following, policy_file
from permit_core.policy_source.following import PolicyFile
from permit_core.ports.policy_source import any_version, one_version
from permit_core.ports.record import AuditRecord, RecordFilter
from permit_core.ports.request import RequestKind
from permit_core.settings import Settings
from permit_core.stores.policies import AcceptedPolicy, PolicyStore
from permit_core.stores.tables import accepted_policies

OPEN = """
version: 2
name: Docs
operators: [bob]
resources:
  docs:
    actions: [read, publish, review]
    roles: {reader: {permissions: [read, publish]}, boss: {permissions: [read, publish, review]}}
access_requests:
  - {resource: docs, role: reader, asked_by: [member], review_action: review, pending_expires: 1 day}
roles: {member: {}}
...
"""
SHUT = OPEN.replace("reader: {permissions: [read, publish]}", "reader: {permissions: [read]}")
ASKING = OPEN.replace("operators:", "reload: ask\noperators:")
DOC = ResourceRef("docs", "d1")
PUBLISH = Check(Actor("default", "default", "ann"), "publish", DOC)

Opens = Callable[..., Awaitable[Core]]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file counts as settled once it is written, and what can change without it is looked at each time."""
    monkeypatch.setattr(policy_file, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(OPEN)
    return file


@pytest.fixture
async def opens(database_url: str, policy: Path, tmp_path: Path) -> AsyncIterator[Opens]:
    """Opens cores over one database and one file."""
    cores: list[Core] = []

    async def opened(*, migrate: bool = True) -> Core:
        settings = Settings(
            database_url=SecretStr(database_url),
            policy_file=str(policy),
            tenant="default",
            state_dir=str(tmp_path / "state"),
        )
        cores.append(core := await open_core(settings, migrate=migrate))
        return core

    yield opened
    for core in cores:
        await core.close()


async def fill(core: Core) -> None:
    await core.directory.put_tenant(core.system, "default", "Default")
    for key in ("ann", "bob"):
        await core.directory.put_user(core.system, User(key, key.title()))
    await core.directory.put_instance(core.system, ResourceInstance(DOC, "default"))
    await core.directory.assign(core.system, RoleAssignment("ann", "reader", "default", DOC))


async def effect(core: Core, check: Check = PUBLISH) -> Effect:
    """The decision for a call that comes in now."""
    await core.policies.renew(core.environment)
    return (await core.pdp.decide(check)).effect


async def records(core: Core, event: str) -> list[AuditRecord]:
    return await core.audit.records(core.environment, RecordFilter(event=event))


def replace_file(file: Path, text: str) -> None:
    """As editors do: a new file takes the old one's name."""
    beside = file.with_name("policy.new")
    beside.write_text(text)
    beside.rename(file)


def file_of(core: Core) -> PolicyFile:
    assert isinstance(core.policies, PolicyFile)
    return core.policies


async def test_what_a_file_revokes_is_refused_at_the_next_call_and_recorded_once_for_all_processes(
    opens: Opens, policy: Path
) -> None:
    first = await opens()
    await fill(first)
    second = await opens(migrate=False)
    assert [await effect(core) for core in (first, second)] == [Effect.ALLOW, Effect.ALLOW]

    replace_file(policy, SHUT)

    assert [await effect(core) for core in (first, second)] == [Effect.DENY, Effect.DENY]
    (record,) = await records(second, "policy.changed")
    before, after = text_hash(OPEN), text_hash(SHUT)
    assert record.body == {"before": before, "after": after, "number": 2, "loosens": []}
    assert record.policy == after
    assert second.policies.current("default").number == 2
    await first.directory.put_tenant(first.system, "other", "Other")
    assert (await records(first, "tenant.put"))[-1].policy == after


async def test_what_a_change_loosens_is_said_and_recorded(
    opens: Opens, policy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    core = await opens()
    policy.with_name("policy.facts.yaml").write_text(
        "tenants: [{key: default, name: Default}]\nusers: [{key: ann, first_name: Ann}]\n"
        'resource_instances: [{resource: docs, key: d1}]\nrole_assignments: [{user: ann, role: reader, resource_instance: "docs:d1"}]\n'
    )
    policy.with_name("policy.scenarios.yaml").write_text(
        "policy: policy.yaml\nfacts: policy.facts.yaml\ndecisions:\n"
        '  - {name: A reader does not review, user: ann, action: review, resource: "docs:d1", expect: deny}\n'
    )
    replace_file(policy, OPEN.replace("[read, publish]}", "[read, publish, review]}").replace("[bob]", "[ann, bob]"))
    with caplog.at_level(logging.WARNING):
        await core.policies.renew("default")
    (record,) = await records(core, "policy.changed")
    operators, row = record.body["loosens"]
    assert operators == "operators: ann may act at a bare terminal"
    assert row.startswith("A reader does not review: user ann review docs:d1 in tenant default: deny becomes allow")
    assert f"the changed policy loosens: {operators}" in caplog.messages


async def test_a_change_between_two_starts_is_recorded_as_well(opens: Opens, policy: Path) -> None:
    await (await opens()).close()
    policy.write_text(SHUT)
    core = await opens()
    (record,) = await records(core, "policy.changed")
    assert (record.body["before"], record.body["after"]) == (text_hash(OPEN), text_hash(SHUT))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SHUT.replace("...", ""), "expected ... as the last line"),
        (SHUT.replace("actions: [read,", "actions: [look,"), "found 'read'"),
        (None, "expected a file that can be read"),
    ],
)
async def test_what_is_no_policy_is_refused_on_record_and_the_old_one_stays(
    opens: Opens, policy: Path, text: str | None, reason: str
) -> None:
    core = await opens()
    await fill(core)
    if text is None:
        policy.unlink()
    else:
        replace_file(policy, text)
    other = None if text is None else await _starts(opens)
    for _ in range(3):
        assert await effect(core) is Effect.ALLOW
    (record,) = await records(core, "policy.refused")
    assert record.body["code"] == "invalid"
    assert reason in record.body["reason"]
    assert record.policy == text_hash(OPEN)
    assert other is None or reason in other
    replace_file(policy, SHUT)
    assert await effect(core) is Effect.DENY


async def _starts(opens: Opens) -> str:
    with pytest.raises(ConfigurationError) as raised:
        await opens()
    return str(raised.value)


@pytest.mark.parametrize("place", ["file", "folder"])
async def test_a_change_is_refused_while_others_can_write_the_file_or_its_folder(
    opens: Opens, policy: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    core = await opens()
    await fill(core)
    replace_file(policy, SHUT)
    loose = policy if place == "file" else policy.parent
    mode = loose.stat().st_mode
    loose.chmod(mode | 0o002)
    try:
        assert await effect(core) is Effect.ALLOW
        (record,) = await records(core, "policy.refused")
        assert record.body["code"] == "writable"
        assert record.body["reason"] == f"everybody can write {loose}"
        with caplog.at_level(logging.WARNING):
            started = await opens()
        assert (
            f"everybody can write {loose}; a change of the policy is not taken up while that is so" in caplog.messages
        )
        assert await effect(started) is Effect.DENY
    finally:
        loose.chmod(mode)
    assert await effect(core) is Effect.DENY


async def test_with_reload_ask_nothing_changes_until_it_is_accepted_not_even_for_a_process_that_starts(
    opens: Opens, policy: Path
) -> None:
    policy.write_text(ASKING)
    first = await opens()
    await fill(first)
    replace_file(policy, SHUT)
    second, third = await opens(), await opens(migrate=False)

    for core in (first, second, third):
        assert await effect(core) is Effect.ALLOW
        assert core.policies.current("default").hash == text_hash(ASKING)
    (record,) = await records(first, "policy.waiting")
    assert record.body["hash"] == text_hash(SHUT)
    assert record.body["reason"].endswith(f"permit-mcp policy accept {text_hash(SHUT)[:12]}")

    change = await file_of(second).change()
    assert change is not None
    assert change.loosens == ("reload: the next change is taken up at once, and waits for nobody",)
    bob = Actor("default", "default", "bob")
    assert await file_of(second).accept(bob, change)
    assert not await file_of(second).accept(bob, change)
    for core in (first, second, third):
        assert await effect(core) is Effect.DENY
    (changed,) = await records(first, "policy.changed")
    assert changed.user == "bob"
    assert await file_of(first).change() is None


@pytest.mark.parametrize(("in_force", "expected"), [(OPEN, Effect.DENY), (ASKING, Effect.ALLOW)])
async def test_a_process_that_is_forked_later_decides_by_the_policy_in_force_and_not_by_what_its_parent_read(
    opens: Opens, policy: Path, in_force: str, expected: Effect
) -> None:
    policy.write_text(in_force)
    core = await opens()
    await fill(core)
    older = read_policy(policy)
    replace_file(policy, SHUT)
    for read_by_parent in (older, read_policy(policy)):
        database = Database.open(core.settings.resolved_database_url, create=False)
        child = assemble(core.settings, read_by_parent, database)
        assert await effect(child) is expected
        await child.close()


async def test_what_was_accepted_is_in_force_when_the_file_has_gone_on_since(opens: Opens, policy: Path) -> None:
    policy.write_text(ASKING)
    core = await opens()
    await fill(core)
    replace_file(policy, SHUT.replace("operators:", "reload: ask\noperators:"))
    change = await file_of(core).change()
    assert change is not None
    await file_of(core).accept(Actor("default", "default", "bob"), change)
    replace_file(policy, ASKING)
    assert await effect(core) is Effect.DENY
    assert await effect(await opens(migrate=False)) is Effect.DENY
    policy.write_text("nothing\n")
    assert await effect(core) is Effect.DENY


async def test_an_accepted_policy_that_somebody_changed_in_the_database_is_taken_by_nobody(
    opens: Opens, policy: Path
) -> None:
    policy.write_text(ASKING)
    core = await opens()
    async with core.database.transaction() as transaction:
        await transaction.execute(update(accepted_policies).values(text=ASKING.replace("[bob]", "[eve]")))
    replace_file(policy, SHUT)
    assert "policy 1 of the database is not what was accepted" in await _starts(opens)


async def test_grants_of_a_role_that_a_change_loses_sleep_in_the_transaction_of_the_change(
    opens: Opens, policy: Path
) -> None:
    core = await opens()
    await fill(core)
    replace_file(policy, OPEN.replace("reader", "viewer"))
    assert await effect(core) is Effect.DENY
    (asleep,) = await records(core, "role.asleep")
    (changed,) = await records(core, "policy.changed")
    assert changed.seq == asleep.seq + 1
    replace_file(policy, OPEN)
    assert await effect(core) is Effect.DENY


async def test_what_is_stored_and_a_changed_policy_does_not_know_is_named_at_once_and_at_the_next_start(
    opens: Opens, policy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    core = await opens()
    await fill(core)
    replace_file(policy, OPEN.replace("docs", "papers"))
    expected = "type docs has 1 instance (docs:d1), and the policy has no such type: nothing is allowed on it"
    with caplog.at_level(logging.WARNING):
        assert await effect(core) is Effect.DENY
        assert expected in caplog.messages
        caplog.clear()
        await opens()
        assert expected in caplog.messages


async def test_verification_finds_a_policy_that_nobody_put_in_force_on_record(opens: Opens, policy: Path) -> None:
    core = await opens()
    replace_file(policy, SHUT)
    await core.policies.renew("default")
    assert (await core.audit.verify("default", comparisons=[PolicyComparison()])).ok
    async with core.database.transaction() as transaction:
        forged = AcceptedPolicy(3, text_hash(OPEN), asks=False)
        await PolicyStore().accept("default", transaction, forged, text=OPEN, by="bob", now=core.clock())
        await transaction.execute(
            update(accepted_policies).where(accepted_policies.c.number == 2).values(accepted_by="eve")
        )
    report = await core.audit.verify("default", comparisons=[PolicyComparison()])
    assert [problem.text for problem in report.problems] == [
        "policy 2: accepted_by is 'eve' in the database, and 'system' in record 1",
        "policy 3: is in the database, and no record tells of it",
    ]


async def test_a_judgement_sees_one_version_and_what_runs_long_the_newest(opens: Opens, policy: Path) -> None:
    core = await opens()
    await fill(core)
    version = await core.policies.renew("default")
    with one_version(core.policies, "default", version):
        replace_file(policy, SHUT)
        assert await effect(core) is Effect.ALLOW
        assert core.policies.current("default") is version
        with any_version():
            assert await effect(core) is Effect.DENY
        assert await effect(core) is Effect.ALLOW
    assert await effect(core) is Effect.DENY


async def test_who_lost_the_right_to_review_decides_no_more_and_what_cannot_be_asked_for_is_not_asked(
    opens: Opens, policy: Path
) -> None:
    core = await opens()
    await fill(core)
    await core.directory.put_user(core.system, User("cid", "Cid"))
    await core.directory.assign(core.system, RoleAssignment("cid", "member", "default"))
    await core.directory.assign(core.system, RoleAssignment("bob", "boss", "default", DOC))
    bob, cid = Actor("default", "default", "bob"), Actor("default", "default", "cid")
    request = await core.approvals.ask_access(cid, DOC, "reader", "please")
    nobody = OPEN.replace("[read, publish, review]}}", "[read, publish]}}")
    replace_file(policy, nobody)
    with pytest.raises(UserFacing) as refused:
        await core.approvals.approve(bob, RequestKind.ACCESS_REQUEST, request.id)
    assert refused.value.code == "not_a_reviewer"
    replace_file(policy, nobody.replace("role: reader", "role: boss"))
    with pytest.raises(UserFacing) as refused:
        await core.approvals.ask_access(cid, DOC, "reader", "please")
    assert refused.value.code == "role_not_requestable"


async def test_a_policy_that_does_not_fit_the_program_is_not_taken_up(opens: Opens, policy: Path) -> None:
    core = await opens()
    await fill(core)

    def fits(model: Any) -> None:
        if model.name != "Docs":
            raise ConfigurationError("this program wants Docs")

    file_of(core).must_fit(fits)
    replace_file(policy, SHUT.replace("name: Docs", "name: Others"))
    assert await effect(core) is Effect.ALLOW
    assert (await records(core, "policy.refused"))[0].body["reason"] == "this program wants Docs"


async def test_a_change_is_not_in_force_before_it_is_on_record(
    opens: Opens, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = await opens()
    await fill(core)
    replace_file(policy, SHUT)
    with monkeypatch.context() as broken:

        async def away(*_: Any, **__: Any) -> None:
            raise StoreError("the disk is full")

        broken.setattr(PolicyStore, "accept", away)
        assert await effect(core) is Effect.ALLOW
    assert await effect(core) is Effect.DENY
    assert len(await records(core, "policy.changed")) == 1


async def test_a_running_program_looks_by_itself(opens: Opens, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WATCH_SECONDS", 0.01)
    core = await opens()
    taken, accept = asyncio.Event(), PolicyFile.accept

    async def told(*arguments: Any) -> bool:
        done = await accept(*arguments)
        taken.set()
        return done

    monkeypatch.setattr(PolicyFile, "accept", told)
    replace_file(policy, SHUT)
    async with asyncio.timeout(20):
        await taken.wait()
    assert [record.body["after"] for record in await records(core, "policy.changed")] == [text_hash(SHUT)]
    watching = file_of(core)._watching
    assert watching is not None
    await core.close()
    assert watching.cancelled()


async def test_a_file_of_version_1_is_taken_up_once_nobody_writes_it(
    opens: Opens, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy.write_text(OPEN.replace("version: 2", "version: 1").replace("...\n", ""))
    core = await opens()
    await fill(core)
    monkeypatch.setattr(policy_file, "SETTLED_SECONDS", 3600.0)
    policy.write_text(SHUT.replace("version: 2", "version: 1").replace("...\n", ""))
    assert await effect(core) is Effect.ALLOW
    monkeypatch.setattr(policy_file, "SETTLED_SECONDS", 0.0)
    assert await effect(core) is Effect.DENY


def test_who_can_write_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("")
    assert policy_file.writable_by_others(str(file)) == ""
    link = tmp_path / "open" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to(file)
    link.parent.chmod(0o777)
    assert policy_file.writable_by_others(str(link)) == f"everybody can write {link.parent}"
    link.parent.chmod(0o755)
    file.chmod(0o664)
    assert policy_file.writable_by_others(str(file)) == ""  # root's own group
    if os.geteuid() == 0:
        os.chown(file, -1, 54321)
        assert policy_file.writable_by_others(str(file)) == f"the group 54321 can write {file}"
        os.chown(file, 1234, 0)
        file.chmod(0o644)
        assert policy_file.writable_by_others(str(file)) == ""
        os.chown(tmp_path, 4321, -1)
        assert policy_file.writable_by_others(str(file)) == f"{tmp_path} belongs to somebody else than {file} does"
    assert "is not known" in policy_file.writable_by_others(str(tmp_path / "nothing" / "x"))

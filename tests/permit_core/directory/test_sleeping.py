"""A role that the policy loses takes its grants with it, and a role of the same name later does not bring them back."""

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.ports.record import RecordFilter
from permit_core.settings import Settings
from permit_core.stores.facts import FactStore

A = """
version: 2
name: A
resources:
  docs:
    actions: [read, publish, review]
    roles: {reader: {permissions: [read]}, boss: {permissions: [read, publish, review]}}
roles: {staff: {permissions: ["docs:read"]}, member: {}}
access_requests:
  - {resource: docs, role: reader, asked_by: [member], review_action: review, pending_expires: 1 day}
...
"""
B = A.replace("reader", "viewer").replace("name: A", "name: B").replace("roles: {staff: {", "roles: {crew: {")
C = A.replace("reader: {permissions: [read]}", "reader: {permissions: [read, publish]}")
DOC = ResourceRef("docs", "d1")
ANN = Actor("default", "default", "ann", "Ann")
READER = RoleAssignment("ann", "reader", "default", DOC)
PUBLISH, READ = Check(ANN, "publish", DOC), Check(ANN, "read", DOC)


async def opened(folder: Path, text: str, *, migrate: bool = True) -> Core:
    """The core over the same database under the policy in ``text``."""
    policy = folder / "policy.yaml"
    policy.write_text(text)
    settings = Settings(
        database_url=SecretStr(f"sqlite+aiosqlite:///{folder / 'docs.db'}"),
        policy_file=str(policy),
        tenant="default",
        state_dir=str(folder / "state"),
    )
    return await open_core(settings, migrate=migrate)


async def fill(core: Core) -> None:
    directory, actor = core.directory, core.system
    await directory.put_tenant(actor, "default", "Default")
    for key in ("ann", "bob"):
        await directory.put_user(actor, User(key, key.title()))
    await directory.put_instance(actor, ResourceInstance(DOC, "default"))
    await directory.assign(actor, READER)
    for role in ("staff", "member"):
        await directory.assign(actor, RoleAssignment("ann", role, "default"))
    await directory.assign(actor, RoleAssignment("bob", "boss", "default", DOC))
    await directory.assign(actor, RoleAssignment("bob", "member", "default"))


async def asleep_records(core: Core) -> list[dict[str, object]]:
    records = await core.audit.records("default", RecordFilter(event="role.asleep"))
    return [dict(record.body) for record in records]


async def test_a_grant_sleeps_when_its_role_is_lost_and_wakes_by_a_persons_word_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    core = await opened(tmp_path, A)
    await fill(core)
    assert (await core.pdp.decide(READ)).allowed
    assert await asleep_records(core) == []
    await core.close()

    with caplog.at_level(logging.WARNING):
        core = await opened(tmp_path, B)
    assert "role docs#reader is given 1 times and the policy has no such role" in caplog.text
    assert "role staff is given 1 times" in caplog.text
    assert "boss" not in caplog.text
    assert not (await core.pdp.decide(READ)).allowed
    assert await asleep_records(core) == [
        {"role": "staff", "assignments": 1},
        {"role": "docs#reader", "assignments": 1},
    ]
    assert (await core.pdp.decide(Check(Actor("default", "default", "bob"), "publish", DOC))).allowed
    await core.close()

    core = await opened(tmp_path, C)
    assert not (await core.pdp.decide(PUBLISH)).allowed
    assert not (await core.pdp.decide(READ)).allowed
    assert len(await asleep_records(core)) == 2
    await core.directory.assign(Actor("default", "default", "bob"), READER)
    assert (await core.pdp.decide(PUBLISH)).allowed
    await core.close()

    core = await opened(tmp_path, C)
    assert (await core.pdp.decide(PUBLISH)).allowed
    await core.close()


RELATED = A.replace("  docs:\n", "  shelves: {actions: [read]}\n  docs:\n    relations: {shelf: shelves}\n")
SHELF = ResourceRef("shelves", "s1")
ON_SHELF = RelationshipTuple(SHELF, "shelf", DOC, "default")


async def test_a_relationship_sleeps_when_its_relation_is_lost_and_wakes_by_a_persons_word_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def shelved(core: Core) -> int:
        return len(await core.directory.objects("default", "default", SHELF, "shelf"))

    core = await opened(tmp_path, RELATED)
    await fill(core)
    await core.directory.put_instance(core.system, ResourceInstance(SHELF, "default"))
    assert await core.directory.relate(core.system, ON_SHELF)
    assert await shelved(core) == 1
    await core.close()

    with caplog.at_level(logging.WARNING):
        core = await opened(tmp_path, A.replace("  docs:\n", "  shelves: {actions: [read]}\n  docs:\n"))
    assert "1 relationships are shelf of shelves to docs and the policy has no such relation" in caplog.text
    (record,) = await core.audit.records("default", RecordFilter(event="relationship.asleep"))
    assert record.body == {"relation": "docs.shelf", "subjects": "shelves", "relationships": 1}
    await core.close()

    for again in (RELATED, RELATED):
        core = await opened(tmp_path, again)
        assert await shelved(core) == 0
        await core.close()
    core = await opened(tmp_path, RELATED)
    assert await core.directory.relate(Actor("default", "default", "bob"), ON_SHELF)
    assert not await core.directory.relate(core.system, ON_SHELF)
    assert await shelved(core) == 1
    await core.close()


async def test_a_relationship_that_sleeps_is_taken_away_and_goes_with_its_things(tmp_path: Path) -> None:
    core = await opened(tmp_path, RELATED)
    await fill(core)
    other = RelationshipTuple(SHELF, "shelf", ResourceRef("docs", "d2"), "default")
    for ref in (SHELF, other.object):
        await core.directory.put_instance(core.system, ResourceInstance(ref, "default"))
    for link in (ON_SHELF, other):
        await core.directory.relate(core.system, link)
    await core.close()
    await (await opened(tmp_path, A.replace("  docs:\n", "  shelves: {actions: [read]}\n  docs:\n"))).close()

    core = await opened(tmp_path, RELATED)
    assert await core.directory.unrelate(core.system, ON_SHELF)
    assert not await core.directory.unrelate(core.system, ON_SHELF)
    assert await core.directory.remove_instance(core.system, other.object)
    async with core.database.reading() as reading:
        assert await FactStore().sleeping_relations("default", reading) == []
    await core.close()


async def test_a_request_without_a_rule_is_named_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    core = await opened(tmp_path, A.replace('{permissions: ["docs:read"]}', "{}"))
    await fill(core)
    bob = Actor("default", "default", "bob", "Bob")
    asked = await core.approvals.ask_access(bob, DOC, "reader", "please")
    await core.close()

    with caplog.at_level(logging.WARNING):
        core = await opened(tmp_path, B)
    await core.close()

    assert (
        f"request {asked.id} asks for role reader on docs:d1, which the policy has no rule for: deny it" in caplog.text
    )


async def test_a_process_that_is_started_by_another_lets_nothing_sleep(tmp_path: Path) -> None:
    core = await opened(tmp_path, A)
    await fill(core)
    await core.close()

    looking = await opened(tmp_path, B, migrate=False)
    assert await asleep_records(looking) == []
    await looking.close()

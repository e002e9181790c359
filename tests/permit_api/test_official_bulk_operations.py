"""What the SDK's repository tests of bulk calls and its distribution leaves out: exact reports, and what goes along."""

from __future__ import annotations

from typing import Any

import pytest
from permit import Permit
from permit.exceptions import PermitAlreadyExistsError, PermitNotFoundError

USERS = ["ann", "bob", "cid"]
INSTANCES = ["document:1", "document:2", "folder:f"]


@pytest.fixture
async def documents(permit: Permit) -> Permit:
    """Folders that hold documents, and an editor role on the latter."""
    actions: dict[str, Any] = {"read": {}}
    await permit.api.resources.create({"key": "folder", "name": "Folder", "actions": actions})
    editor = {"name": "Editor", "permissions": ["read"]}
    body = {"key": "document", "name": "Document", "actions": actions, "roles": {"editor": editor}}
    await permit.api.resources.create({**body, "relations": {"parent": "folder"}})
    return permit


def user(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "email": f"{key}@example.com", **more}


def instances() -> list[dict[str, Any]]:
    named = (each.split(":") for each in INSTANCES)
    return [{"resource": kind, "key": key, "tenant": "default"} for kind, key in named]


def editing(who: str, instance: str) -> dict[str, Any]:
    return {"user": who, "role": "editor", "tenant": "default", "resource_instance": instance}


async def keys_of_users(permit: Permit) -> list[str]:
    return sorted(each.key for each in (await permit.api.users.list()).data)


async def test_users_are_made_replaced_and_taken_away_together(permit: Permit) -> None:
    made = await permit.api.users.bulk_create([user(key) for key in USERS])
    assert made.dict() == {}
    assert await keys_of_users(permit) == USERS
    replaced = await permit.api.users.bulk_replace([user("ann", first_name="Ann"), user("dan")])
    assert replaced.dict() == {}
    assert (await permit.api.users.get("ann")).first_name == "Ann"
    assert await keys_of_users(permit) == [*USERS, "dan"]
    assert (await permit.api.users.bulk_delete(["ann", "dan"])).dict() == {}
    assert await keys_of_users(permit) == ["bob", "cid"]


async def test_of_users_that_are_made_together_none_is_there_when_one_was_there_before(permit: Permit) -> None:
    await permit.api.users.create(user("bob"))
    with pytest.raises(PermitAlreadyExistsError):
        await permit.api.users.bulk_create([user(key) for key in USERS])
    assert await keys_of_users(permit) == ["bob"]
    with pytest.raises(PermitNotFoundError):
        await permit.api.users.bulk_delete(["bob", "nobody"])
    assert await keys_of_users(permit) == ["bob"]


async def test_instances_are_replaced_and_taken_away_together(documents: Permit) -> None:
    assert (await documents.api.resource_instances.bulk_replace(instances())).dict() == {}
    again = [{**instances()[0], "attributes": {"pages": 3}}]
    await documents.api.resource_instances.bulk_replace(again)
    found = sorted(await documents.api.resource_instances.list(), key=lambda each: (each.resource, each.key))
    assert [f"{each.resource}:{each.key}" for each in found] == INSTANCES
    assert [each.attributes for each in found] == [{"pages": 3}, {}, {}]
    assert (await documents.api.resource_instances.bulk_delete(INSTANCES[:2])).dict() == {}
    assert [each.key for each in await documents.api.resource_instances.list()] == ["f"]


async def test_relationships_are_made_and_taken_away_together(documents: Permit) -> None:
    await documents.api.resource_instances.bulk_replace(instances())
    links = [{"subject": "folder:f", "relation": "parent", "object": each} for each in INSTANCES[:2]]
    assert (await documents.api.relationship_tuples.bulk_create(links)).dict() == {}
    found = await documents.api.relationship_tuples.list()
    assert {(each.subject, each.relation, each.object) for each in found} == {tuple(each.values()) for each in links}
    assert (await documents.api.relationship_tuples.bulk_delete(links)).dict() == {}
    assert await documents.api.relationship_tuples.list() == []


async def test_the_reports_count_the_roles_that_were_given_and_taken(documents: Permit) -> None:
    await documents.api.users.bulk_create([user(key) for key in USERS])
    roles = [editing(key, "document:1") for key in USERS]
    assert (await documents.api.role_assignments.bulk_assign(roles)).dict() == {"assignments_created": 3}
    more = [roles[0], editing("ann", "document:2")]
    assert (await documents.api.role_assignments.bulk_assign(more)).dict() == {"assignments_created": 1}
    assert len(await documents.api.role_assignments.list()) == 4
    assert (await documents.api.role_assignments.bulk_unassign(roles)).dict() == {"assignments_removed": 3}
    assert (await documents.api.role_assignments.bulk_unassign(more)).dict() == {"assignments_removed": 1}
    assert await documents.api.role_assignments.list() == []


async def test_roles_go_with_the_users_and_the_instances_that_are_taken_away(documents: Permit) -> None:
    await documents.api.users.bulk_create([user(key) for key in USERS])
    held = [editing(key, instance) for key in USERS[:2] for instance in INSTANCES[:2]]
    await documents.api.role_assignments.bulk_assign(held)
    await documents.api.users.bulk_delete(["ann"])
    left = await documents.api.role_assignments.list()
    assert {(each.user, each.resource_instance) for each in left} == {("bob", "document:1"), ("bob", "document:2")}
    await documents.api.resource_instances.bulk_delete(["document:1"])
    left = await documents.api.role_assignments.list()
    assert [(each.user, each.resource_instance) for each in left] == [("bob", "document:2")]
    assert not await documents.check("bob", "read", "document:1")
    assert await documents.check("bob", "read", "document:2")

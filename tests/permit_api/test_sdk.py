"""The official SDK over a real socket: a family's story told in its words."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from permit import Permit
from permit.enforcement.enforcer import CheckQuery
from permit.exceptions import PermitAlreadyExistsError, PermitApiError, PermitNotFoundError

from tests.support.permit_local import Environment, LocalServer, answer

ACTIONS: dict[str, Any] = {"create": {}, "read": {}, "update": {}, "delete": {}}


async def family(permit: Permit) -> None:
    """Two restaurants, a parent of both, a child of the first."""
    await permit.api.resources.create(
        {
            "key": "restaurants",
            "name": "Restaurants",
            "actions": ACTIONS,
            "roles": {
                "parent": {"name": "Parent", "permissions": ["create", "read", "update", "delete"]},
                "child-can-view": {"name": "Child", "permissions": ["read"]},
            },
        }
    )
    for key in ("1", "2"):
        await permit.api.resource_instances.create({"key": key, "resource": "restaurants", "tenant": "default"})
    for key, name in (("joe", "Joe"), ("henry", "Henry")):
        await permit.api.users.create({"key": key, "first_name": name})
    for user, role, instance in (("joe", "parent", "1"), ("joe", "parent", "2"), ("henry", "child-can-view", "1")):
        await permit.api.role_assignments.assign(
            {"user": user, "role": role, "tenant": "default", "resource_instance": f"restaurants:{instance}"}
        )


async def test_a_role_on_an_instance_allows_what_it_grants_there_and_nothing_else(permit: Permit) -> None:
    await family(permit)
    assert await permit.check("henry", "read", "restaurants:1")
    assert not await permit.check("henry", "read", "restaurants:2")
    assert not await permit.check("henry", "update", "restaurants:1")
    assert await permit.check("joe", "update", "restaurants:2")


async def test_a_revoked_role_denies_at_once(permit: Permit) -> None:
    await family(permit)
    assert await permit.check("henry", "read", "restaurants:1")
    held = {"user": "henry", "role": "child-can-view", "tenant": "default", "resource_instance": "restaurants:1"}
    await permit.api.role_assignments.unassign(held)
    assert not await permit.check("henry", "read", "restaurants:1")
    with pytest.raises(PermitNotFoundError):
        await permit.api.role_assignments.unassign(held)


async def test_many_checks_are_answered_in_their_order(permit: Permit) -> None:
    await family(permit)
    asked: list[CheckQuery] = [
        {"user": user, "action": "read", "resource": f"restaurants:{key}"}
        for user in ("henry", "joe")
        for key in ("1", "2")
    ]
    assert await permit.bulk_check(asked) == [True, False, True, True]


async def test_what_is_there_already_is_a_conflict_and_what_is_not_there_is_not_found(permit: Permit) -> None:
    await family(permit)
    with pytest.raises(PermitAlreadyExistsError):
        await permit.api.users.create({"key": "joe"})
    with pytest.raises(PermitNotFoundError):
        await permit.api.users.get("nobody")
    with pytest.raises(PermitApiError) as bare:
        await permit.api.resource_instances.get("1")
    assert bare.value.status_code == 400


async def test_a_user_is_made_by_the_first_sync_and_changed_by_the_next(permit: Permit) -> None:
    made = await permit.api.users.sync({"key": "rose", "first_name": "Rose", "attributes": {"age": 9}})
    again = await permit.api.users.sync({"key": "rose", "attributes": {"age": 10}})
    assert again.id == made.id
    assert (again.first_name, again.attributes) == ("Rose", {"age": 10})


async def test_facts_can_be_written_at_the_decision_points_address(environment: Environment) -> None:
    permit = Permit(
        token=environment.key,
        pdp=environment.url,
        api_url=environment.url,
        proxy_facts_via_pdp=True,
        facts_sync_timeout=5,
    )
    with permit.wait_for_sync() as waiting:
        await waiting.api.users.create({"key": "rose"})
    assert (await permit.api.users.get("rose")).key == "rose"


async def test_a_user_set_and_a_resource_set_allow_by_attributes(permit: Permit) -> None:
    await family(permit)
    await permit.api.condition_sets.create(
        {"key": "adults", "name": "Adults", "type": "userset", "conditions": {"user.age": {"greater-than-equals": 18}}}
    )
    await permit.api.condition_sets.create(
        {
            "key": "quiet",
            "name": "Quiet",
            "type": "resourceset",
            "resource_id": "restaurants",
            "conditions": {"allOf": [{"resource.loud": {"equals": False}}]},
        }
    )
    await permit.api.condition_set_rules.create(
        {"user_set": "adults", "permission": "restaurants:read", "resource_set": "quiet"}
    )
    grandmother = {"key": "ann", "attributes": {"age": 70}}
    quiet: dict[str, Any] = {"type": "restaurants", "attributes": {"loud": False}}
    assert await permit.check(grandmother, "read", quiet), "what a check brings counts for whom nobody synced as well"
    assert not await permit.check({"key": "ann"}, "read", quiet)
    await permit.api.users.create({"key": "ann"})
    assert await permit.check(grandmother, "read", quiet)
    assert await permit.check(grandmother, "read", {**quiet, "key": "not-told-of"})
    assert not await permit.check(grandmother, "read", {**quiet, "attributes": {"loud": True}})
    assert not await permit.check({"key": "ann", "attributes": {"age": 17}}, "read", quiet)


async def test_the_permissions_of_a_user_are_listed_by_tenant_and_by_instance(permit: Permit) -> None:
    await family(permit)
    await permit.api.roles.create({"key": "guest", "name": "Guest", "permissions": ["restaurants:read"]})
    await permit.api.users.assign_role({"user": "henry", "role": "guest", "tenant": "default"})
    found = await permit.get_user_permissions("henry")
    assert found["__tenant:default"]["permissions"] == ["restaurants:read"]
    assert found["restaurants:1"]["permissions"] == ["restaurants:read"]
    assert set(found) == {"__tenant:default", "restaurants:1"}


async def test_a_key_of_one_environment_sees_nothing_of_another(
    permit: Permit, environment: Environment, local_server: LocalServer
) -> None:
    await family(permit)
    other = local_server.new_environment()
    with other.client as stranger:
        assert answer(stranger.get(other.path("facts/users")))["data"] == []
        for path in (environment.path("facts/users"), environment.path("schema/resources/restaurants")):
            assert answer(stranger.get(path), 403)["error_code"] == "FORBIDDEN_ACCESS"
        nowhere = f"/v2/facts/{environment.project_id}/no-such-environment/users"
        assert (
            answer(stranger.get(nowhere), 403)["message"]
            == answer(stranger.get(environment.path("facts/users")), 403)["message"]
        )
    strange = Permit(token=other.key, pdp=other.url, api_url=other.url)
    assert not await strange.check("joe", "read", "restaurants:1")


async def test_a_key_that_was_taken_away_opens_nothing(local_server: LocalServer, environment: Environment) -> None:
    body = {"user": {"key": "joe"}, "action": "read", "resource": {"type": "restaurants"}}
    with environment.client as client, local_server.client() as owner:
        assert client.post("/allowed", json=body).status_code == 200
        named = answer(owner.get("/v2/api-key", params={"per_page": 100, "proj_id": environment.project_id}))["data"]
        for key in named:
            answer(owner.delete(f"/v2/api-key/{key['id']}"), 204)
        assert answer(client.get(environment.path("facts/users")), 401)["error_code"] == "UNAUTHORIZED"
        refused = client.post("/allowed", json=body)
    assert (refused.status_code, refused.headers["content-type"].split(";")[0]) == (403, "text/plain")


def test_without_a_key_the_decision_point_answers_in_plain_text_and_the_api_in_json(local_server: LocalServer) -> None:
    body = {"user": {"key": "joe"}, "action": "read", "resource": {"type": "restaurants"}}
    with httpx.Client(base_url=local_server.url) as client:
        assert client.post("/allowed", json=body).status_code == 401
        assert answer(client.get("/v2/api-key/scope"), 401)["error_code"] == "UNAUTHORIZED"


async def test_projects_and_environments_are_made_with_a_key_of_the_organisation(local_server: LocalServer) -> None:
    owner = Permit(token=local_server.organization_key, pdp=local_server.url, api_url=local_server.url)
    name = f"project-{uuid.uuid4().hex}"
    project = await owner.api.projects.create({"key": name, "name": name})
    assert {each.key for each in await owner.api.environments.list(name)} == {"dev", "production"}
    await owner.api.environments.create(name, {"key": "staging", "name": "Staging"})
    assert (await owner.api.environments.get_stats(name, "staging")).stats.tenants == 1
    copied = await owner.api.environments.copy(name, "dev", {"target_env": {"new": {"key": "copy", "name": "Copy"}}})
    assert copied.project_id == project.id
    key = await owner.api.environments.get_api_key(name, "staging")
    assert key.secret
    inside = Permit(token=key.secret, pdp=local_server.url, api_url=local_server.url)
    assert (await inside.api.users.create({"key": "ann"})).environment_id == key.environment_id
    assert not await inside.check("ann", "read", "nothing")
    await owner.api.environments.delete(name, "staging")
    with pytest.raises(PermitApiError) as gone:
        await inside.api.users.get("ann")
    assert gone.value.status_code == 401
    await owner.api.projects.delete(name)


async def test_writes_at_one_moment_are_all_there_afterwards(permit: Permit) -> None:
    await asyncio.gather(*(permit.api.users.create({"key": f"user-{n}"}) for n in range(20)))
    listed = await permit.api.users.list(per_page=100)
    assert listed.total_count == 20


def test_a_key_that_only_reads_writes_nothing_and_gets_no_stronger(
    local_server: LocalServer, environment: Environment
) -> None:
    with local_server.client() as owner:
        organization = answer(owner.get("/v2/api-key/scope"))["organization_id"]
        ids = {"project_id": environment.project_id, "environment_id": environment.environment_id}
        body = {"organization_id": organization, **ids}
        keys = {
            level: answer(owner.post("/v2/api-key", json={**body, "access_level": level}))
            for level in ("read", "write", "no_access")
        }
    with local_server.client(keys["read"]["secret"]) as reader, local_server.client(keys["write"]["secret"]) as writer:
        answer(reader.get(environment.path("facts/users")))
        answer(reader.post(environment.path("facts/users"), json={"key": "ann"}), 403)
        answer(reader.get(f"/v2/api-key/{environment.project_id}/{environment.environment_id}"), 403)
        answer(writer.post(environment.path("facts/users"), json={"key": "ann"}))
        [admin, *_] = answer(writer.get("/v2/api-key"))["data"]
        answer(writer.post(f"/v2/api-key/{admin['id']}/rotate-secret"), 403)
        answer(writer.delete(f"/v2/api-key/{admin['id']}"), 403)
        answer(writer.post("/v2/api-key", json=body), 403)
    with local_server.client(keys["no_access"]["secret"]) as nobody:
        answer(nobody.get("/v2/api-key/scope"), 401)
        assert nobody.post("/allowed", json={}).status_code == 403


@pytest.mark.parametrize("form", ["{}", "hex"])
def test_what_is_named_by_a_key_is_never_something_else_with_that_id(environment: Environment, form: str) -> None:
    users, tenants = environment.path("facts/users"), environment.path("facts/tenants")
    with environment.client as client:
        ann = answer(client.post(users, json={"key": "ann"}))
        key = uuid.UUID(ann["id"]).hex if form == "hex" else ann["id"]
        answer(client.post(users, json={"key": key}), 409)
        answer(client.post(environment.path("facts/bulk/users"), json={"operations": [{"key": key}]}), 409)
        assert answer(client.put(f"{users}/{key}", json={"key": "ann"}))["id"] == ann["id"]
        answer(client.post(tenants, json={"key": key, "name": "of another kind"}))
        own = str(uuid.uuid4())  # many applications name their users so
        assert answer(client.post(users, json={"key": own}))["key"] == answer(client.get(f"{users}/{own}"))["key"]


def test_a_project_is_not_named_by_the_id_of_another(local_server: LocalServer, environment: Environment) -> None:
    with local_server.client() as owner:
        answer(owner.post("/v2/projects", json={"key": environment.project_id, "name": "Twin"}), 409)


def test_a_body_that_does_not_say_how_large_it_is_may_not_be_larger_than_others(environment: Environment) -> None:
    def in_pieces(mebibytes: int) -> Iterator[bytes]:
        yield b'{"key": "ann"'
        yield from (b" " * 1024 * 1024 for _ in range(mebibytes))
        yield b"}"

    with environment.client as client:
        users = environment.path("facts/users")
        client.headers["content-type"] = "application/json"
        assert answer(client.post(users, content=in_pieces(8)), 413)["error_code"] == "INVALID_INPUT"
        answer(client.post("/allowed", content=in_pieces(8)), 413)
        answer(client.get(f"{users}/ann"), 404)
        answer(client.post(users, content=in_pieces(1)))


def test_what_is_too_large_or_cannot_be_stored_is_refused(environment: Environment) -> None:
    with environment.client as client:
        users = environment.path("facts/users")
        answer(client.post(users, content=b" " * (8 * 1024 * 1024 + 1)), 413)
        answer(client.get(users, params={"search": "\0"}), 400)
        for wrong in (b'{"key":"a","first_name":"\\u0000"}', b'{"key":"a","attributes":{"x":["\\u0000"]}}'):
            answer(client.post(users, content=wrong), 422)
        for wrong in (b'{"key":"a","attributes":{"x":NaN}}', b'{"key":"a","attributes":{"x":"\\ud800"}}'):
            answer(client.post(users, content=wrong), 422)
        assert answer(client.get(users))["total_count"] == 0

"""Every answer is as Permit.io's own description of its API says; the ``api`` fixture looks at each one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.permit_description import OURS_ALONE, Description, description_file, operations
from tests.support.permit_elements import ACCESS, WANTED, Family
from tests.support.permit_local import Environment, LocalServer, answer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def described(description: Description | None) -> Description:
    if description is None:
        pytest.skip("there is no shared/data/permit-io-openapi.json beside the checkout")
    return description


class Walk:
    """Calls of one environment, by the part of the address that matters."""

    def __init__(self, api: httpx.Client, environment: Environment) -> None:
        self.api, self.environment = api, environment

    def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any) -> Any:
        response = self.api.request(method, self.environment.path(path), json=body, params=query)
        return answer(response, status)


@pytest.fixture
def walk(api: httpx.Client, environment: Environment) -> Walk:
    return Walk(api, environment)


FOLDER = {"key": "folder", "name": "Folder", "actions": {"read": {}, "write": {"name": "Write"}}}
DOCUMENT = {
    "key": "document",
    "name": "Document",
    "urn": "prn:docs:document",
    "description": "text",
    "actions": {"read": {}, "write": {}},
    "attributes": {"private": {"type": "bool", "description": "Whether it is"}},
    "roles": {"editor": {"name": "Editor", "permissions": ["read", "write"]}},
    "relations": {"parent": "folder"},
    "type_attributes": {"colour": "blue"},
}


def schema(walk: Walk) -> None:
    walk("POST", "schema/resources", FOLDER)
    walk("POST", "schema/resources/folder/roles", {"key": "viewer", "name": "Viewer", "permissions": ["folder:read"]})
    walk("POST", "schema/resources", DOCUMENT)


def test_schema(walk: Walk) -> None:
    schema(walk)
    assert walk("GET", "schema/resources/document")["relations"]["parent"]["resource"] == "folder"
    assert len(walk("GET", "schema/resources")) == 2
    assert walk("GET", "schema/resources", include_total_count=True, search="DOC")["total_count"] == 1
    assert len(walk("GET", "schema/resources", include_built_in=True)) == 4
    walk("PATCH", "schema/resources/document", {"description": "more text"})
    for noun, body in (
        ("actions", {"key": "sign", "name": "Sign"}),
        ("attributes", {"key": "pages", "type": "number"}),
        ("action_groups", {"key": "all", "name": "All", "actions": ["read", "sign"]}),
    ):
        base = f"schema/resources/document/{noun}"
        walk("POST", base, body)
        walk("POST", base, body, status=409)
        assert body["key"] in {each["key"] for each in walk("GET", base)}
        walk("GET", f"{base}/{body['key']}")
        walk("PATCH", f"{base}/{body['key']}", {"description": "changed"})
    relations = "schema/resources/document/relations"
    walk("POST", relations, {"key": "twin", "name": "Twin", "subject_resource": "document"})
    assert walk("GET", relations)["total_count"] == 2
    assert walk("GET", f"{relations}/parent")["subject_resource"] == "folder"
    for path in ("relations/twin", "action_groups/all", "attributes/pages", "actions/sign"):
        walk("DELETE", f"schema/resources/document/{path}", status=204)
    walk("DELETE", "schema/resources/document/actions/sign", status=404)
    walk("POST", "schema/users/attributes", {"key": "age", "type": "number"})
    assert [each["key"] for each in walk("GET", "schema/resources/__user/attributes")] == ["age"]
    walk("PATCH", "schema/users/attributes/age", {"type": "string"})
    walk("GET", "schema/users/attributes/age")
    assert [each["key"] for each in walk("GET", "schema/users/attributes")] == ["age"]
    walk("DELETE", "schema/users/attributes/age", status=204)
    replaced = walk("PUT", "schema/resources/document", {"name": "Paper", "actions": {"read": {}}})
    assert (list(replaced["actions"]), replaced["roles"], replaced["relations"]) == (["read"], {}, {})
    walk("DELETE", "schema/resources/document", status=204)
    walk("GET", "schema/resources/document", status=404)


def test_roles(walk: Walk) -> None:
    schema(walk)
    made = walk("POST", "schema/roles", {"key": "viewer", "name": "Viewer", "permissions": ["document:read"]})
    assert made["permissions"] == ["document:read"]
    walk("POST", "schema/roles", {"key": "editor", "name": "Editor", "extends": ["viewer"]})
    assert walk("POST", "schema/roles/editor/permissions", {"permissions": ["document:write"]})["extends"] == ["viewer"]
    walk("DELETE", "schema/roles/editor/permissions", {"permissions": ["document:write"]})
    walk("POST", "schema/roles/editor/permissions", {"permissions": ["document:fly"]}, status=404)
    walk("POST", "schema/roles/editor/permissions", {"permissions": ["write"]}, status=400)
    assert len(walk("GET", "schema/roles/editor/ancestors")["roles"]) == 1
    assert len(walk("GET", "schema/roles/viewer/descendants")["roles"]) == 1
    walk("PATCH", "schema/roles/viewer", {"extends": ["editor"]}, status=400)
    assert walk("PATCH", "schema/roles/viewer", {"permissions": []})["permissions"] == []
    assert walk("GET", "schema/roles", include_total_count=True)["total_count"] == 2
    of_document = "schema/resources/document/roles"
    walk("POST", of_document, {"key": "viewer", "name": "Viewer", "permissions": ["read"], "extends": []})
    rule = {"role": "viewer", "on_resource": "folder", "linked_by_relation": "parent"}
    walk("POST", f"{of_document}/viewer/implicit_grants", rule)
    walk("POST", f"{of_document}/viewer/implicit_grants", rule, status=409)
    withheld = {"no_direct_roles_on_object": True}
    assert walk("PUT", f"{of_document}/viewer/implicit_grants/conditions", withheld) == withheld
    granted = walk("GET", f"{of_document}/viewer")["granted_to"]
    assert (granted["when"], granted["users_with_role"][0]["on_resource"]) == (withheld, "folder")
    assert {role["key"] for role in walk("GET", of_document)} == {"editor", "viewer"}
    walk("PATCH", f"{of_document}/viewer", {"name": "Reader"})
    walk("POST", f"{of_document}/viewer/permissions", {"permissions": ["document:write"]})
    walk("DELETE", f"{of_document}/viewer/permissions", {"permissions": ["write"]})
    walk("GET", f"{of_document}/viewer/ancestors")
    walk("GET", f"{of_document}/viewer/descendants")
    walk("DELETE", f"{of_document}/viewer/implicit_grants", rule, status=204)
    walk("DELETE", f"{of_document}/viewer/implicit_grants", rule, status=404)
    done = walk(
        "PUT",
        "schema/bulk/roles",
        {"operations": [{"key": "viewer", "name": "V"}, {"key": "owner", "name": "O", "resource": "document"}]},
    )
    assert done == {"created": ["document#owner"], "updated": ["viewer"]}
    walk("DELETE", "schema/roles/viewer", status=204)
    walk("DELETE", f"{of_document}/viewer", status=204)


def test_condition_sets(walk: Walk) -> None:
    schema(walk)
    adults = {"key": "adults", "name": "Adults", "conditions": {"user.age": {"greater-than": 17}}}
    walk("POST", "schema/condition_sets", adults)
    narrower = {
        "key": "tall",
        "name": "Tall",
        "parent_id": "adults",
        "conditions": {"user.height": {"greater-than": 180}},
    }
    walk("POST", "schema/condition_sets", narrower)
    public = {"resource.private": {"equals": False}}
    things = {"key": "public", "name": "Public", "type": "resourceset", "resource_id": "document", "conditions": public}
    walk("POST", "schema/condition_sets", things)
    wrong = {"key": "odd", "name": "Odd", "conditions": {"user.age": {"is-about": 17}}}
    walk("POST", "schema/condition_sets", wrong, status=400)
    walk("GET", "schema/condition_sets/odd", status=404)
    assert walk("GET", "schema/condition_sets", type="resourceset", include_total_count=True)["total_count"] == 1
    assert len(walk("GET", "schema/condition_sets")) == 3
    assert [each["key"] for each in walk("GET", "schema/condition_sets/tall/ancestors")] == ["adults"]
    assert [each["key"] for each in walk("GET", "schema/condition_sets/adults/descendants")] == ["tall"]
    walk("PATCH", "schema/condition_sets/adults", {"parent_id": "tall"}, status=422)
    walk("PATCH", "schema/condition_sets/adults", {"description": "Grown up"})
    assert walk("GET", "schema/condition_sets/adults")["description"] == "Grown up"
    rule = {"user_set": "adults", "permission": "document:read", "resource_set": "public"}
    assert walk("POST", "facts/set_rules", rule)[0]["user_set"] == "adults"
    walk("POST", "facts/set_rules", rule, status=409)
    assert len(walk("GET", "facts/set_rules", user_set="adults", permission="read", resource_set="public")) == 1
    assert walk("GET", "facts/set_rules", permission="document:write") == []
    walk("DELETE", "facts/set_rules", rule, status=204)
    walk("DELETE", "facts/set_rules", rule, status=404)
    walk("DELETE", "schema/condition_sets/adults", status=204)
    walk("GET", "schema/condition_sets/tall", status=404)


def test_users_and_tenants(walk: Walk) -> None:
    schema(walk)
    walk("POST", "schema/roles", {"key": "viewer", "name": "Viewer"})
    person = {"key": "ann@example.com", "email": "ann@example.com", "first_name": "Ann", "attributes": {"age": 3}}
    made = walk("POST", "facts/users", {**person, "role_assignments": [{"role": "viewer", "tenant": "default"}]})
    assert made["roles"] == [{"role": "viewer", "tenant": "default"}]
    walk("POST", "facts/users", person, status=409)
    walk("POST", "facts/users", {"key": "no spaces"}, status=422)
    walk("POST", "facts/users", {"key": "bob", "nickname": "Bobby"}, status=422)
    walk("PUT", "facts/users/bob", {"key": "bob"}, status=201)
    walk("PUT", "facts/users/bob", {"key": "bob", "last_name": "Bee"})
    assert walk("PATCH", "facts/users/bob", {"last_name": None}).get("last_name") is None
    assert walk("GET", f"facts/users/{made['id']}")["key"] == "ann@example.com"
    assert walk("GET", "facts/users", search="ANN")["total_count"] == 1
    assert walk("GET", "facts/users", search="bo", search_operator="startswith")["total_count"] == 1
    assert walk("GET", "facts/users", role="viewer")["data"][0]["key"] == "ann@example.com"
    page = walk("GET", "facts/users", page=2, per_page=1)
    assert (len(page["data"]), page["total_count"], page["page_count"]) == (1, 2, 2)
    walk("GET", "facts/users", per_page=101, status=422)
    walk("POST", "facts/tenants", {"key": "acme", "name": "Acme", "description": "Rockets"})
    walk("POST", "facts/tenants", {"key": "acme", "name": "Acme"}, status=409)
    assert walk("PATCH", "facts/tenants/acme", {"attributes": {"size": 3}})["attributes"] == {"size": 3}
    assert {each["key"] for each in walk("GET", "facts/tenants")} == {"acme", "default"}
    assert walk("GET", "facts/tenants", search="ACM", include_total_count=True)["total_count"] == 1
    walk("GET", "facts/tenants/acme")
    walk("POST", "facts/tenants/acme/users", {"key": "bob"})
    assert [each["key"] for each in walk("GET", "facts/tenants/acme/users")["data"]] == ["bob"]
    walk("DELETE", "facts/tenants/acme/users/bob", status=204)
    assert walk("GET", "facts/tenants/acme/users")["total_count"] == 0
    given = walk("POST", "facts/users/bob/roles", {"role": "viewer", "tenant": "acme"})
    assert (given["user"], given["role"], given["tenant"]) == ("bob", "viewer", "acme")
    walk("DELETE", "facts/users/bob/roles", {"role": "viewer", "tenant": "acme"}, return_deleted=True)
    walk("DELETE", "facts/users/bob/roles", {"role": "viewer", "tenant": "acme"}, status=404)
    walk("DELETE", "facts/tenants/acme", status=204)
    walk("DELETE", "facts/users/bob", status=204)


def test_instances_assignments_and_relationships(walk: Walk) -> None:
    schema(walk)
    walk("POST", "facts/users", {"key": "ann"})
    walk("POST", "facts/tenants", {"key": "acme", "name": "Acme"})
    walk("POST", "facts/resource_instances", {"key": "f", "resource": "folder", "tenant": "default"})
    walk("POST", "facts/resource_instances", {"key": "f", "resource": "folder", "tenant": "default"}, status=409)
    walk("POST", "facts/resource_instances", {"key": "x", "resource": "folder", "tenant": "acme"})
    ends = {"subject": "folder:f", "relation": "parent", "object": "document:d"}
    walk("POST", "facts/relationship_tuples", ends, status=404)
    assert walk("POST", "facts/relationship_tuples", {**ends, "tenant": "default"})["object"] == "document:d"
    walk("POST", "facts/relationship_tuples", {**ends, "tenant": "default"}, status=409)
    across = walk("POST", "facts/relationship_tuples", {**ends, "subject": "folder:x"}, status=400)
    assert across["error_code"] == "MISMATCH_RESOURCE_INSTANCES_TENANTS"
    odd = walk("POST", "facts/relationship_tuples", {**ends, "subject": "document:d"}, status=400)
    assert odd["error_code"] == "MISMATCH_RELATION_TYPE"
    by: dict[str, Any] = {"subject": "folder:f", "object": "document:d", "relation": "parent", "tenant": "default"}
    by |= {"object_type": "document", "subject_type": "folder"}
    assert len(walk("GET", "facts/relationship_tuples", **by)) == 1
    assert walk("GET", "facts/relationship_tuples", include_total_count=True)["total_count"] == 1
    assert walk("GET", "facts/relationship_tuples/detailed")["data"][0]["object_details"]["key"] == "d"
    found = walk("GET", "facts/resource_instances", resource="document", tenant="default", search="D", detailed=True)
    assert found[0]["relationships"][0]["subject"] == "folder:f"
    walk("GET", "facts/resource_instances/detailed")
    assert walk("PATCH", "facts/resource_instances/document:d", {"attributes": {"n": 1}})["attributes"] == {"n": 1}
    assert walk("GET", "facts/resource_instances/document:d")["attributes"] == {"n": 1}
    walk("GET", "facts/resource_instances/d", status=400)
    held = {"user": "ann", "role": "editor", "tenant": "default", "resource_instance": "document:new"}
    given = walk("POST", "facts/role_assignments", held)
    assert (given["role"], given["resource_instance"]) == ("editor", "document:new")
    walk("POST", "facts/role_assignments", held, status=409)
    walk("POST", "facts/role_assignments", {"user": "ann", "role": "editor"}, status=422)
    assert len(walk("GET", "facts/role_assignments", user=["ann", "bob"], resource="document", per_page=1000)) == 1
    assert walk("GET", "facts/role_assignments", resource_instance="document:d", include_total_count=True)["data"] == []
    walk("GET", "facts/role_assignments", resource_instance="d", status=400)
    walk("GET", "facts/role_assignments", per_page=1001, status=422)
    assert walk("GET", "facts/role_assignments/detailed")["data"][0]["resource_instance"]["key"] == "new"
    walk("DELETE", "facts/role_assignments", held, status=204)
    walk("DELETE", "facts/role_assignments", held, status=404)
    walk("DELETE", "facts/relationship_tuples", ends, status=204)
    walk("DELETE", "facts/relationship_tuples", ends, status=404)
    walk("DELETE", "facts/resource_instances/document:d", status=204)
    walk("GET", "facts/resource_instances/document:d", status=404)


def test_bulk_calls_do_all_or_nothing(walk: Walk) -> None:
    schema(walk)
    both = [{"key": "ann"}, {"key": "bob"}]
    assert walk("POST", "facts/bulk/users", {"operations": both}) == {}
    walk("POST", "facts/bulk/users", {"operations": [{"key": "cid"}, {"key": "bob"}]}, status=409)
    walk("GET", "facts/users/cid", status=404)
    walk("PUT", "facts/bulk/users", {"operations": [{"key": "cid"}, {"key": "bob", "first_name": "Bob"}]})
    walk("POST", "facts/bulk/tenants", {"operations": [{"key": "acme", "name": "Acme"}]})
    things = [{"key": key, "resource": kind, "tenant": "acme"} for kind, key in (("folder", "f"), ("document", "d"))]
    walk("PUT", "facts/bulk/resource_instances", {"operations": things})
    walk("PUT", "facts/bulk/resource_instances", {"operations": [{**things[0], "attributes": {"a": 1}}]})
    ends = {"subject": "folder:f", "relation": "parent", "object": "document:d"}
    walk("POST", "facts/relationship_tuples/bulk", {"operations": [ends]})
    walk("DELETE", "facts/relationship_tuples/bulk", {"idents": [ends]})
    roles = [
        {"user": user, "role": "editor", "tenant": "acme", "resource_instance": "document:d"} for user in ("ann", "new")
    ]
    walk("POST", "facts/role_assignments/bulk", roles, status=404)
    assert walk("POST", "facts/role_assignments/bulk", roles, missing_user_policy="ignore")["assignments_created"] == 1
    assert walk("POST", "facts/role_assignments/bulk", roles, missing_user_policy="create")["assignments_created"] == 1
    assert walk("DELETE", "facts/role_assignments/bulk", roles) == {"assignments_removed": 2}
    walk("DELETE", "facts/bulk/resource_instances", {"idents": ["document:d"]})
    walk("DELETE", "facts/bulk/tenants", {"idents": ["acme"]})
    walk("DELETE", "facts/bulk/users", {"idents": ["ann", "bob"]})
    walk("DELETE", "facts/bulk/users", {"idents": ["ann"]}, status=404)


def test_invites(walk: Walk) -> None:
    schema(walk)
    role = walk("POST", "schema/roles", {"key": "viewer", "name": "Viewer"})
    thing = walk("POST", "facts/resource_instances", {"key": "d", "resource": "document", "tenant": "default"})
    invited = {
        "key": "eve@example.com",
        "status": "pending",
        "email": "eve@example.com",
        "first_name": "Eve",
        "last_name": "",
        "role_id": role["id"],
        "tenant_id": thing["tenant_id"],
        "resource_instance_id": thing["id"],
    }
    made = walk("POST", "facts/user_invites", invited)
    walk("POST", "facts/user_invites", invited, status=409)
    walk("PATCH", f"facts/user_invites/{made['id']}", {**invited, "last_name": "Ewing"})
    assert walk("GET", "facts/user_invites", search="EWING", role="viewer", tenant="default")["total_count"] == 1
    wrong = {"key": "eve@example.com", "email": "mallory@example.com", "attributes": {}}
    walk("POST", f"facts/user_invites/{made['id']}/approve", wrong, status=400)
    approve = {"key": "eve@example.com", "email": "eve@example.com", "attributes": {"team": "A"}}
    assert walk("POST", f"facts/user_invites/{made['id']}/approve", approve)["roles"][0]["role"] == "viewer"
    walk("POST", f"facts/user_invites/{made['id']}/approve", approve, status=400)
    assert walk("GET", f"facts/user_invites/{made['id']}")["status"] == "approved"
    walk("DELETE", f"facts/user_invites/{made['id']}", status=204)
    walk("GET", f"facts/user_invites/{made['id']}", status=404)


def test_elements(walk: Walk) -> None:
    schema(walk)
    element = {
        "key": "requests",
        "name": "Requests",
        "elements_type": "user_management",
        "settings": {"resource": "document", "columns": 3, "wide": True},
        "roles_to_levels": {"LEVEL_1": ["document#editor"]},
        "webhook": {"type": "elements", "url": "http://127.0.0.1/hook", "bearer_token": "a secret"},
    }
    made = walk("POST", "elements/config", element)
    assert "a secret" not in str(made)
    assert made["roles_to_levels"]["LEVEL_1"][0]["key"] == "editor"
    assert walk("GET", "elements/config")["total_count"] == 1
    walk("GET", f"elements/config/{made['id']}")
    walk("PATCH", "elements/config/requests", {"name": "More", "roles_to_levels": {}})
    walk("DELETE", "elements/requests", status=204)
    walk("GET", "elements/config/requests", status=404)


def decide_one_of_each(call: Callable[..., Any], body: dict[str, Any]) -> None:
    """Ask three times; one request is approved, one denied, one taken back."""
    for end, who in (("approve", "joe"), ("deny", "joe"), ("cancel", "henry")):
        one = call("henry", "POST", json=body)["id"]
        assert call("joe", "GET", f"/{one}")["status"] == "pending"
        call("joe", "PATCH", f"/{one}/reviewer", json={"reviewer_comment": "Which day?"})
        call(who, "PUT", f"/{one}/{end}", **({} if end == "cancel" else {"json": {"reviewer_comment": "So be it"}}))
    assert [each["status"] for each in call("joe", "GET")["data"]][-3:] == ["approved", "denied", "canceled"]


def test_requests_of_elements(api: httpx.Client, environment: Environment) -> None:
    family = Family(api, environment)
    try:
        family.make()

        def of_the_key(who: str, method: str, request: str = "", **more: Any) -> Any:
            return answer(api.request(method, family.access(who, request), **more))

        def of_the_element(who: str, method: str, request: str = "", **more: Any) -> Any:
            return answer(family.logged_in(who).request(method, family.access_of_element(request), **more))

        def of_operations(who: str, method: str, request: str = "", **more: Any) -> Any:
            return answer(family.logged_in(who).request(method, family.approval(request), **more))

        operation = {name: WANTED[name] for name in ("tenant", "resource", "resource_instance")}
        decide_one_of_each(of_operations, {"access_request_details": operation})
        runtime = environment.path(f"elements/config/{ACCESS}/runtime")
        assert answer(family.logged_in("joe").get(runtime))["config"]["key"] == ACCESS
        decide_one_of_each(of_the_element, {"access_request_details": WANTED})
        held = {"role": WANTED["role"], "tenant": "default", "resource_instance": WANTED["resource_instance"]}
        answer(api.request("DELETE", environment.path("facts/users/henry/roles"), json=held), 204)
        decide_one_of_each(of_the_key, {"access_request_details": WANTED})
    finally:
        family.close()


def test_projects_environments_and_keys(local_server: LocalServer, described: Description) -> None:
    with local_server.client() as owner:
        owner.event_hooks = {"response": [described.look]}
        scope = answer(owner.get("/v2/api-key/scope"))
        made = answer(owner.post("/v2/projects", json={"key": "described", "name": "Described"}))
        answer(owner.post("/v2/projects", json={"key": "described", "name": "Described"}), 409)
        assert len(answer(owner.get("/v2/projects/described/envs"))) == 2
        answer(owner.get("/v2/projects"))
        assert answer(owner.get("/v2/projects/described"))["id"] == made["id"]
        answer(owner.patch("/v2/projects/described", json={"description": "All of it"}))
        staging = answer(owner.post("/v2/projects/described/envs", json={"key": "staging", "name": "Staging"}))
        answer(owner.patch("/v2/projects/described/envs/staging", json={"description": "Nearly"}))
        answer(owner.get(f"/v2/projects/{made['id']}/envs/{staging['id']}"))
        body = {"organization_id": scope["organization_id"], "project_id": made["id"], "object_type": "project"}
        key = answer(owner.post("/v2/api-key", json=body))
        assert "secret" not in answer(owner.get(f"/v2/api-key/{key['id']}"))
        fresh = answer(owner.post(f"/v2/api-key/{key['id']}/rotate-secret"))["secret"]
        answer(owner.get("/v2/api-key", params={"object_type": "project"}))
        answer(owner.get("/v2/api-key/described/staging"))
        with local_server.client(key["secret"]) as old, local_server.client(fresh) as new:
            answer(old.get("/v2/api-key/scope"), 401)
            assert answer(new.get("/v2/api-key/scope"))["project_id"] == made["id"]
            answer(new.post("/v2/projects", json={"key": "other", "name": "Other"}), 403)
            answer(new.get("/v2/projects/default"), 403)
        answer(owner.delete(f"/v2/api-key/{key['id']}"), 204)
        answer(owner.delete("/v2/projects/described/envs/staging"), 204)
        answer(owner.delete("/v2/projects/described"), 204)
        answer(owner.get("/v2/projects/described"), 404)


def test_the_schema_of_an_environment_is_copied_without_its_facts(
    walk: Walk, environment: Environment, local_server: LocalServer, described: Description
) -> None:
    schema(walk)
    walk("POST", "schema/roles", {"key": "reader", "name": "Reader", "permissions": ["document:read"]})
    walk("POST", "schema/roles", {"key": "boss", "name": "Boss", "extends": ["reader"]})
    rule = {"role": "viewer", "on_resource": "folder", "linked_by_relation": "parent"}
    walk("POST", "schema/resources/document/roles/editor/implicit_grants", rule)
    adult = {"user.age": {"greater-than": 17}}
    walk(
        "POST", "schema/condition_sets", {"key": "tall", "name": "Tall", "conditions": {"user.tall": {"equals": True}}}
    )
    walk("POST", "schema/condition_sets", {"key": "adults", "name": "Adults", "conditions": adult})
    walk("PATCH", "schema/condition_sets/tall", {"parent_id": "adults"})
    names = {"user_set": "tall", "permission": "folder:read", "resource_set": "folder"}
    walk("POST", "facts/set_rules", {**names, "is_resource": True})
    walk("POST", "facts/users", {"key": "ann"})
    base = f"/v2/projects/{environment.project_id}/envs"
    copy = {"target_env": {"new": {"key": "copy", "name": "Copy"}}}
    with local_server.client() as owner, environment.client as insider:
        owner.event_hooks = {"response": [described.look]}
        answer(insider.post(f"{base}/dev/copy", json=copy), 403)
        made = answer(owner.post(f"{base}/dev/copy", json=copy), 201)
        for again in (copy, {"target_env": {"existing": "copy"}}):
            answer(owner.post(f"{base}/dev/copy", json=again), 409)
        answer(owner.post(f"{base}/dev/copy", json={"target_env": {"existing": "dev"}}), 422)
        counted = answer(owner.get(f"{base}/copy/stats"))["stats"]
        assert {name: counted[name] for name in ("roles", "users", "policies", "resources", "tenants")} == {
            "roles": 4,
            "users": 0,
            "policies": 2,
            "resources": 2,
            "tenants": 1,
        }
        there = f"/v2/schema/{environment.project_id}/{made['id']}"
        editor = answer(owner.get(f"{there}/resources/document/roles/editor"))
        assert editor["granted_to"]["users_with_role"][0]["on_resource"] == "folder"
        assert answer(owner.get(f"{there}/roles/boss"))["extends"] == ["reader"]
        assert answer(owner.get(f"{there}/roles/reader"))["permissions"] == ["document:read"]
        assert [each["key"] for each in answer(owner.get(f"{there}/condition_sets/tall/ancestors"))] == ["adults"]
        part = {"target_env": {"existing": "production"}, "scope": {"resources": {"include": ["fol*"]}}}
        answer(owner.post(f"{base}/dev/copy", json=part), 201)
        found = answer(owner.get(f"/v2/schema/{environment.project_id}/production/resources"))
        assert [each["key"] for each in found] == ["folder"]


def test_checks_that_were_made(walk: Walk) -> None:
    schema(walk)
    asked = {"user": {"key": "ann"}, "action": "read", "resource": {"type": "document", "key": "d"}}
    answer(walk.api.post("/allowed", json=asked))
    found = walk("GET", "pdps/audit_logs", users="ann", decision=False)
    assert (found["total_count"], found["data"][0]["user_key"]) == (1, "ann")
    assert walk("GET", f"pdps/audit_logs/{found['data'][0]['id']}")["input"]["resource"]["key"] == "d"


STORIES = (
    test_schema,
    test_roles,
    test_condition_sets,
    test_users_and_tenants,
    test_instances_assignments_and_relationships,
    test_bulk_calls_do_all_or_nothing,
    test_invites,
    test_elements,
    test_checks_that_were_made,
)


def test_every_call_that_the_description_has_was_answered_well(local_server: LocalServer) -> None:
    file = description_file()
    assert file is not None
    looking = Description(file)  # of its own: it has seen nothing yet

    def copied(walk: Walk) -> None:
        test_the_schema_of_an_environment_is_copied_without_its_facts(walk, walk.environment, local_server, looking)

    def asked(walk: Walk) -> None:
        test_requests_of_elements(walk.api, walk.environment)

    for story in (*STORIES, copied, asked):
        environment = local_server.new_environment()
        with environment.client as client:
            client.event_hooks = {"response": [looking.look]}
            story(Walk(client, environment))
    test_projects_environments_and_keys(local_server, looking)
    with httpx.Client(base_url=local_server.url) as client:
        ours = operations(answer(client.get("/openapi.json")))
    seen = {re.sub(r"{[^}]*}", "{}", each) for each in looking.seen}
    assert {each for each in ours if " /v2/" in each} - seen == OURS_ALONE


def test_an_answer_that_is_not_as_described_is_noticed(described: Description, environment: Environment) -> None:
    request = httpx.Request("GET", environment.url + environment.path("facts/users/ann"))
    with pytest.raises(AssertionError, match="is a required property"):
        described.check(httpx.Response(200, json={"key": "ann"}, request=request))
    with pytest.raises(AssertionError, match="not a status of it"):
        described.check(httpx.Response(206, json={}, request=request))
    with pytest.raises(AssertionError, match="is a required property"):
        described.check(httpx.Response(404, json={"detail": "Not Found"}, request=request))

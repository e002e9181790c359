"""Permit's semantics, asked over HTTP: tenants, derivation, withheld roles, condition sets, and why."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.permit_local import Environment, answer

ADULT = {"user.age": {"greater-than-equals": 18}}


class World:
    """Writes and questions of one environment."""

    def __init__(self, api: httpx.Client, environment: Environment) -> None:
        self._api, self._environment = api, environment

    def post(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        return answer(self._api.post(self._environment.path(path), json=body), status)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return answer(self._api.put(self._environment.path(path), json=body))

    def delete(self, path: str) -> None:
        answer(self._api.delete(self._environment.path(path)), 204)

    def ask(self, what: str, body: Any) -> Any:
        return answer(self._api.post(f"/{what}", json=body))

    def decide(self, user: str, action: str, kind: str, key: str | None = None, **more: Any) -> Any:
        tenant = more.pop("tenant", "default")
        person = {"key": user, "attributes": more.pop("user_attributes", {})}
        resource = {"type": kind, "tenant": tenant, "key": key, "attributes": more.pop("attributes", {})}
        return self.ask("allowed", {"user": person, "action": action, "resource": resource, **more})

    def may(self, *asked: Any, **more: Any) -> bool:
        return bool(self.decide(*asked, **more)["allow"])

    def assign(self, user: str, role: str, instance: str | None = None, tenant: str = "default") -> None:
        place = {} if instance is None else {"resource_instance": instance}
        self.post("facts/role_assignments", {"user": user, "role": role, "tenant": tenant, **place})

    def relate(self, subject: str, relation: str, thing: str, tenant: str = "default") -> None:
        ends = {"subject": subject, "relation": relation, "object": thing}
        self.post("facts/relationship_tuples", {**ends, "tenant": tenant})


@pytest.fixture
def world(api: httpx.Client, environment: Environment) -> World:
    """Accounts that hold folders that hold documents; an editor of the one is an editor of the next."""
    made = World(api, environment)
    above = None
    for kind, relation in (("account", None), ("folder", "account"), ("document", "folder")):
        rule = {"role": "editor", "on_resource": above, "linked_by_relation": relation}
        editor = {"name": "Editor", "permissions": ["read", "write"]}
        body = {"key": kind, "name": kind, "actions": {"read": {}, "write": {}}}
        derived = {} if relation is None else {"granted_to": {"users_with_role": [rule]}}
        roles = {"viewer": {"name": "Viewer", "permissions": ["read"]}, "editor": {**editor, **derived}}
        made.post("schema/resources", {**body, "relations": {relation: above} if relation else {}, "roles": roles})
        above = kind
    for key in ("ann", "bob"):
        made.post("facts/users", {"key": key})
    made.post("facts/tenants", {"key": "acme", "name": "Acme"})
    made.relate("account:a", "account", "folder:f")
    made.relate("folder:f", "folder", "document:d")
    return made


def test_a_role_is_derived_over_three_levels(world: World) -> None:
    assert not world.may("ann", "write", "document", "d")
    world.assign("ann", "editor", "account:a")
    assert world.may("ann", "write", "document", "d")
    assert not world.may("bob", "write", "document", "d")


def test_a_derived_role_is_withheld_from_whoever_has_a_direct_one(world: World) -> None:
    world.assign("ann", "editor", "account:a")
    world.assign("ann", "viewer", "folder:f")
    conditions = "schema/resources/folder/roles/editor/implicit_grants/conditions"
    world.put(conditions, {"no_direct_roles_on_object": True})
    assert world.may("ann", "read", "folder", "f")
    assert not world.may("ann", "write", "folder", "f")
    world.put(conditions, {"no_direct_roles_on_object": False})
    assert world.may("ann", "write", "folder", "f")


def test_circles_of_relationships_end(world: World) -> None:
    world.post("schema/resources/folder/relations", {"key": "within", "name": "Within", "subject_resource": "folder"})
    rule = {"role": "editor", "on_resource": "folder", "linked_by_relation": "within"}
    world.post("schema/resources/folder/roles/editor/implicit_grants", rule)
    world.relate("folder:f", "within", "folder:g")
    world.relate("folder:g", "within", "folder:f")
    assert not world.may("ann", "write", "folder", "g")
    world.assign("ann", "editor", "folder:f")
    assert world.may("ann", "write", "folder", "g")


def test_a_tenant_role_counts_in_its_tenant_for_every_instance_and_for_the_type(world: World) -> None:
    world.post("schema/roles", {"key": "reader", "name": "Reader", "permissions": ["document:read"]})
    world.post("schema/roles", {"key": "boss", "name": "Boss", "extends": ["reader"]})
    world.assign("ann", "boss", tenant="default")
    assert world.may("ann", "read", "document")
    assert world.may("ann", "read", "document", "d")
    assert world.may("ann", "read", "document", "nobody-told-of")
    assert not world.may("ann", "write", "document", "d")
    assert not world.may("ann", "read", "document", tenant="acme")


def test_a_role_on_an_instance_answers_no_question_about_the_type_or_another_tenant(world: World) -> None:
    world.assign("ann", "viewer", "document:d")
    assert world.may("ann", "read", "document", "d")
    assert not world.may("ann", "read", "document")
    assert not world.may("ann", "read", "document", "d", tenant="acme")
    assert not world.may("ann", "read", "document", "other")


def test_a_set_within_a_set_asks_for_both(world: World) -> None:
    world.post("schema/condition_sets", {"key": "adult", "name": "Adult", "conditions": ADULT})
    tall = {"user.height": {"greater-than": 180}}
    world.post("schema/condition_sets", {"key": "tall", "name": "Tall", "parent_id": "adult", "conditions": tall})
    rule = {"user_set": "tall", "permission": "document:read", "resource_set": "document", "is_resource": True}
    world.post("facts/set_rules", rule)
    assert world.may("ann", "read", "document", user_attributes={"age": 40, "height": 190})
    assert not world.may("ann", "read", "document", user_attributes={"age": 4, "height": 190})
    assert not world.may("ann", "read", "document", user_attributes={"age": 40})


def test_a_set_without_conditions_lets_nobody_in(world: World) -> None:
    world.post("schema/condition_sets", {"key": "anybody", "name": "Anybody"})
    rule = {"user_set": "anybody", "permission": "document:read", "resource_set": "document", "is_resource": True}
    world.post("facts/set_rules", rule)
    assert not world.may("ann", "read", "document")


def test_a_role_can_stand_for_a_user_set(world: World) -> None:
    world.post("schema/roles", {"key": "member", "name": "Member"})
    public = {"resource.public": {"equals": True}}
    body = {"key": "public", "name": "Public", "type": "resourceset", "resource_id": "document", "conditions": public}
    world.post("schema/condition_sets", body)
    rule = {"user_set": "member", "permission": "document:read", "resource_set": "public", "is_role": True}
    world.post("facts/set_rules", rule)
    assert not world.may("ann", "read", "document", "d", attributes={"public": True})
    world.assign("ann", "member")
    assert world.may("ann", "read", "document", "d", attributes={"public": True})
    assert not world.may("ann", "read", "document", "d")


def test_a_set_may_ask_for_the_context_and_compare_attributes_with_each_other(world: World) -> None:
    mine = {"allOf": [{"resource.owner": {"equals": {"ref": "user.key"}}}, {"environment.hour": {"less-than": 20}}]}
    body = {"key": "mine", "name": "Mine", "type": "resourceset", "resource_id": "document", "conditions": mine}
    world.post("schema/condition_sets", body)
    world.post("schema/condition_sets", {"key": "all", "name": "All", "conditions": {"user.key": {"not-equals": ""}}})
    world.post("facts/set_rules", {"user_set": "all", "permission": "document:write", "resource_set": "mine"})
    assert world.may("ann", "write", "document", "d", attributes={"owner": "ann"}, context={"hour": 9})
    assert not world.may("ann", "write", "document", "d", attributes={"owner": "bob"}, context={"hour": 9})
    assert not world.may("ann", "write", "document", "d", attributes={"owner": "ann"}, context={"hour": 23})


def test_what_was_granted_by_a_resource_does_not_come_back_with_its_name(world: World) -> None:
    world.post("schema/roles", {"key": "reader", "name": "Reader", "permissions": ["account:read"]})
    world.assign("ann", "reader")
    assert world.may("ann", "read", "account")
    world.delete("schema/resources/account")
    world.post("schema/resources", {"key": "account", "name": "Account", "actions": {"read": {}}})
    assert not world.may("ann", "read", "account")


def test_a_decision_says_why(world: World) -> None:
    world.assign("ann", "editor", "account:a")
    debug = world.decide("ann", "write", "document", "d")["debug"]
    assert debug["allow_sources"] == ["rebac"]
    assert debug["rebac"]["reason"][0] == "user ann has role editor on account:a"
    assert "account:a is account of folder:f" in debug["rebac"]["reason"]
    assert world.decide("nobody", "read", "document", "d")["debug"]["code"] == "no_such_user"
    assert world.decide("ann", "fly", "document", "d")["debug"]["code"] == "no_such_action"
    refused = world.decide("bob", "read", "document", "d")["debug"]
    assert (refused["code"], refused["allow_sources"]) == ("no_permission", [])
    assert any("no role, direct or derived," in line for line in refused["reason"])


def test_authorized_users_are_named_with_the_assignment_that_is_the_cause(world: World) -> None:
    world.post("schema/roles", {"key": "reader", "name": "Reader", "permissions": ["document:read"]})
    world.assign("ann", "editor", "account:a")
    world.assign("bob", "reader")
    body = {"action": "read", "resource": {"type": "document", "key": "d", "tenant": "default"}}
    found = world.ask("authorized_users", body)
    cause = {"tenant": "default", "user": "ann", "resource": "account:a", "role": "account#editor"}
    assert found["users"]["ann"] == [cause]
    assert found["users"]["bob"][0]["resource"] == "__tenant:default"
    whole = world.ask("authorized_users", {"action": "read", "resource": {"type": "document"}})
    assert (whole["resource"], set(whole["users"])) == ("document:*", {"bob"})


def test_the_tenants_in_which_something_is_allowed(world: World) -> None:
    world.post("schema/roles", {"key": "reader", "name": "Reader", "permissions": ["document:read"]})
    world.assign("ann", "reader", tenant="acme")
    asked = {"user": {"key": "ann"}, "action": "read", "resource": {"type": "document"}}
    found = world.ask("allowed/all-tenants", asked)["allowed_tenants"]
    assert [each["tenant"]["key"] for each in found] == ["acme"]
    assert world.ask("user-tenants", {"user": {"key": "ann"}}) == [{"key": "acme", "attributes": {}}]
    assert world.ask("user-tenants", {"user": {"key": "bob"}}) == []


def test_the_permissions_of_a_user_can_be_narrowed(world: World) -> None:
    world.assign("ann", "editor", "folder:f")
    everything = world.ask("user-permissions", {"user": {"key": "ann"}})
    assert set(everything) == {"folder:f", "document:d"}
    assert everything["document:d"]["permissions"] == ["document:read", "document:write"]
    assert set(world.ask("user-permissions", {"user": {"key": "ann"}, "resources": ["document:d"]})) == {"document:d"}
    assert set(world.ask("user-permissions", {"user": {"key": "ann"}, "resource_types": ["folder"]})) == {"folder:f"}
    assert world.ask("user-permissions", {"user": {"key": "ann"}, "tenants": ["acme"]}) == {}


@pytest.fixture
def set_rules(world: World) -> World:
    """Adults may read public documents, and write folders of any kind."""
    world.post("schema/condition_sets", {"key": "adults", "name": "Adults", "conditions": ADULT})
    public = {"key": "public", "name": "Public", "type": "resourceset", "resource_id": "document"}
    world.post("schema/condition_sets", {**public, "conditions": {"resource.public": {"equals": True}}})
    world.post("facts/set_rules", {"user_set": "adults", "permission": "document:read", "resource_set": "public"})
    rule = {"user_set": "adults", "permission": "folder:write", "resource_set": "folder", "is_resource": True}
    world.post("facts/set_rules", rule)
    for key, public_one in (("open", True), ("closed", False)):
        attributes = {"public": public_one}
        world.post(
            "facts/resource_instances",
            {"key": key, "resource": "document", "tenant": "default", "attributes": attributes},
        )
    return world


def by_sets(world: World, user: dict[str, Any], **more: Any) -> Any:
    return world.ask("user-permissions", {"user": user, "context": {"enable_abac_user_permissions": True}, **more})


def test_what_condition_sets_allow_is_among_the_permissions_of_a_user_only_where_it_is_asked_for(
    set_rules: World,
) -> None:
    grown = {"key": "ann", "attributes": {"age": 40}}
    assert set_rules.ask("user-permissions", {"user": grown}) == {}
    found = by_sets(set_rules, grown)
    assert {name: each["permissions"] for name, each in found.items()} == {
        "document:open": ["document:read"],
        "folder:f": ["folder:write"],
    }
    assert (found["document:open"]["userset"], found["document:open"]["resourceset"]) == ("adults", "public")
    assert found["document:open"]["tenant"]["key"] == "default"
    assert by_sets(set_rules, {"key": "ann", "attributes": {"age": 9}}) == {}
    assert by_sets(set_rules, {"key": "nobody", "attributes": {"age": 40}}) == {}
    assert set(by_sets(set_rules, grown, resource_types=["folder"])) == {"folder:f"}
    assert set(by_sets(set_rules, grown, resources=["document:open"])) == {"document:open"}
    assert by_sets(set_rules, grown, tenants=["acme"]) == {}


def test_condition_sets_and_roles_together_make_the_permissions_of_a_user(set_rules: World) -> None:
    set_rules.post("schema/roles", {"key": "reader", "name": "Reader", "permissions": ["document:read"]})
    set_rules.assign("ann", "reader")
    set_rules.assign("ann", "viewer", "folder:f")
    grown = {"key": "ann", "attributes": {"age": 40}}
    found = by_sets(set_rules, grown)
    assert found["__tenant:default"]["permissions"] == ["document:read", "folder:write"]
    assert found["folder:f"]["permissions"] == ["folder:read", "folder:write"]
    assert found["folder:f"]["roles"] == ["viewer"]
    assert set_rules.ask("user-permissions", {"user": grown})["folder:f"]["permissions"] == ["folder:read"]


def test_whom_only_condition_sets_let_in_is_not_among_the_authorized_users(set_rules: World) -> None:
    set_rules.put("facts/users/ann", {"key": "ann", "attributes": {"age": 40}})
    assert set_rules.may("ann", "read", "document", "open")
    body = {"action": "read", "resource": {"type": "document", "key": "open", "tenant": "default"}}
    assert set_rules.ask("authorized_users", body)["users"] == {}


def test_a_check_that_cannot_be_read_is_refused_with_its_place(api: httpx.Client) -> None:
    found = answer(api.post("/allowed", json={"user": "ann", "action": "read", "resource": {"type": "document"}}), 422)
    assert found["detail"][0]["loc"] == ["body", "user"]
    answer(api.post("/allowed", content=b"{"), 422)
    answer(api.post("/allowed/bulk", json={"checks": []}), 422)


def test_a_waiting_header_that_cannot_be_read_is_refused(api: httpx.Client) -> None:
    answer(api.get("/facts/users", headers={"X-Wait-Timeout": "soon"}), 400)
    answer(api.get("/facts/users", headers={"X-Wait-Timeout": "1", "X-Timeout-Policy": "panic"}), 400)
    answer(api.get("/facts/users", headers={"X-Wait-Timeout": "-1", "X-Timeout-Policy": "fail"}))

"""What official clients rely on, each with the smallest call that showed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.permit_local import Environment, LocalServer, answer, exported, running_local

SALES = {"user.department": {"equals": "sales"}}
RED = {"resource.color": {"equals": "red"}}


@pytest.fixture
def facts(environment: Environment, api: httpx.Client) -> Any:
    """Calls an address below ``/v2/facts``."""

    def call(method: str, path: str, **more: Any) -> httpx.Response:
        return api.request(method, environment.path(f"facts/{path}"), **more)

    return call


@pytest.fixture
def schema(environment: Environment, api: httpx.Client) -> Any:
    """Calls an address below ``/v2/schema``."""

    def call(method: str, path: str, **more: Any) -> httpx.Response:
        return api.request(method, environment.path(f"schema/{path}"), **more)

    return call


def test_a_key_has_the_97_characters_that_permit_cli_asks_for(environment: Environment) -> None:
    assert len(environment.key) == 97
    assert environment.key.startswith("permit_key_")


# Users that nobody has told of


@pytest.fixture
def cars(schema: Any, facts: Any) -> None:
    car = {"key": "car", "name": "Car", "actions": {"drive": {}}, "attributes": {"color": {"type": "string"}}}
    answer(schema("POST", "resources", json=car))
    people = {"key": "sales", "name": "Sales", "type": "userset", "conditions": {"allOf": [SALES]}}
    red = {"key": "red", "name": "Red", "type": "resourceset", "resource_id": "car", "conditions": {"allOf": [RED]}}
    for each in (people, red):
        answer(schema("POST", "condition_sets", json=each))
    rule = {"user_set": "sales", "permission": "car:drive", "resource_set": "red"}
    answer(facts("POST", "set_rules", json=rule))


def drives(api: httpx.Client, attributes: dict[str, Any], color: str = "red") -> dict[str, Any]:
    thing = {"type": "car", "tenant": "default", "attributes": {"color": color}}
    asked = {"user": {"key": "zed", "attributes": attributes}, "action": "drive", "resource": thing}
    found: dict[str, Any] = answer(api.post("/allowed", json=asked))
    return found


@pytest.mark.usefixtures("cars")
def test_a_check_that_brings_the_user_s_attributes_needs_no_user_in_the_directory(
    api: httpx.Client, facts: Any
) -> None:
    assert drives(api, {"department": "sales"})["allow"]
    refused = drives(api, {"department": "kitchen"})
    assert (refused["allow"], refused["debug"]["code"]) == (False, "no_such_user")
    assert not drives(api, {"department": "sales"}, "blue")["allow"]
    assert not drives(api, {})["allow"]
    answer(facts("POST", "users", json={"key": "zed"}))
    assert drives(api, {"department": "sales"})["allow"]


# Values that are not of their type


def test_a_value_that_is_not_of_its_declared_type_opens_nothing(api: httpx.Client, schema: Any, facts: Any) -> None:
    declared = {"due": {"type": "time"}, "size": {"type": "number"}}
    answer(
        schema("POST", "resources", json={"key": "file", "name": "F", "actions": {"write": {}}, "attributes": declared})
    )
    answer(schema("POST", "users/attributes", json={"key": "since", "type": "time"}))
    ann = {"key": "ann", "name": "A", "conditions": {"user.since": {"less-than": "2026-12-01"}}}
    answer(schema("POST", "condition_sets", json=ann))
    for key, condition in (
        ("late", {"resource.due": {"greater-than": "2026-12-01"}}),
        ("large", {"resource.size": {"greater-than": 5}}),
    ):
        body = {"key": key, "name": key, "type": "resourceset", "resource_id": "file", "conditions": condition}
        answer(schema("POST", "condition_sets", json=body))
        answer(facts("POST", "set_rules", json={"user_set": "ann", "permission": "file:write", "resource_set": key}))
    allowed = []
    for since, about in (
        ("2026-11-30", {"due": "2026-9-1"}),
        ("2026-11-30", {"due": "tomorrow"}),
        ("2026-11-30", {"due": "2026-12-01T00:30:00+01:00"}),
        ("2026-11-30", {"due": "2026-12-02"}),
        ("2026-1-1", {"due": "2026-12-02"}),
        ("2026-11-30", {"size": "9"}),
        ("2026-11-30", {"size": 9}),
    ):
        user = {"key": "ann", "attributes": {"since": since}}
        asked = {"user": user, "action": "write", "resource": {"type": "file", "attributes": about}}
        if answer(api.post("/allowed", json=asked))["allow"]:
            allowed.append((since, about))
    assert allowed == [("2026-11-30", {"due": "2026-12-02"}), ("2026-11-30", {"size": 9})]
    wrong = {"key": "odd", "name": "O", "conditions": {"user.since": {"less-than": "soon"}}}
    assert "user.since is of type time" in answer(schema("POST", "condition_sets", json=wrong), 400)["message"]


# Null and empty


def test_a_tenant_without_attributes_has_null_and_one_with_none_has_an_empty_object(facts: Any) -> None:
    assert answer(facts("POST", "tenants", json={"key": "tz", "name": "TZ"}))["attributes"] is None
    assert answer(facts("GET", "tenants/tz"))["attributes"] is None
    assert answer(facts("POST", "tenants", json={"key": "te", "name": "TE", "attributes": {}}))["attributes"] == {}
    assert answer(facts("PATCH", "tenants/te", json={"attributes": {"a": 1}}))["attributes"] == {"a": 1}
    assert answer(facts("PATCH", "tenants/te", json={"name": "Te"}))["attributes"] == {"a": 1}
    assert answer(facts("PATCH", "tenants/te", json={"attributes": None}))["attributes"] is None


def test_a_tenant_without_attributes_decides_like_one_with_none(api: httpx.Client, facts: Any, schema: Any) -> None:
    answer(facts("POST", "tenants", json={"key": "tz", "name": "TZ"}))
    answer(schema("POST", "roles", json={"key": "guest", "name": "Guest"}))
    answer(facts("POST", "users", json={"key": "rose"}))
    answer(facts("POST", "role_assignments", json={"user": "rose", "role": "guest", "tenant": "tz"}))
    assert answer(api.post("/user-tenants", json={"user": {"key": "rose"}})) == [{"key": "tz", "attributes": {}}]


def test_users_and_instances_without_attributes_have_an_empty_object(facts: Any, schema: Any) -> None:
    answer(schema("POST", "resources", json={"key": "menu", "name": "Menu", "actions": {"read": {}}}))
    assert answer(facts("POST", "users", json={"key": "rose"}))["attributes"] == {}
    menu = {"key": "one", "resource": "menu", "tenant": "default"}
    assert answer(facts("POST", "resource_instances", json=menu))["attributes"] == {}


# Lists


def keys(response: httpx.Response) -> list[str]:
    found = answer(response)
    return sorted(each["key"] for each in (found["data"] if isinstance(found, dict) else found))


def test_attr_filters_narrow_every_list_of_things_with_attributes(facts: Any, schema: Any) -> None:
    for key, attributes in (("a", {"k": "v", "n": 5, "on": True}), ("b", {"k": "w"}), ("c", None)):
        answer(facts("POST", "tenants", json={"key": key, "name": key, "attributes": attributes}))
        answer(facts("POST", "users", json={"key": key, "attributes": attributes or {}}))
        answer(schema("POST", "roles", json={"key": key, "name": key, "attributes": attributes or {}}))
    for call, path in ((facts, "tenants"), (facts, "users"), (schema, "roles")):
        assert keys(call("GET", f"{path}?attr_k=v")) == ["a"]
        assert keys(call("GET", f"{path}?attr_k=v&attr_n=5&attr_on=true")) == ["a"]
        assert keys(call("GET", f"{path}?attr_k=nope")) == []
        assert keys(call("GET", f"{path}?attr_other=v")) == []
    counted = answer(facts("GET", "tenants?attr_k=v&include_total_count=true"))
    assert (counted["total_count"], counted["page_count"]) == (1, 1)


def test_attr_filters_narrow_instances_and_roles_of_resources_page_by_page(facts: Any, schema: Any) -> None:
    answer(schema("POST", "resources", json={"key": "menu", "name": "Menu", "actions": {"read": {}}}))
    for number in range(5):
        attributes = {"even": number % 2 == 0}
        thing = {"key": f"m{number}", "resource": "menu", "tenant": "default", "attributes": attributes}
        answer(facts("POST", "resource_instances", json=thing))
        role = {"key": f"r{number}", "name": "R", "attributes": attributes}
        answer(schema("POST", "resources/menu/roles", json=role))
    assert keys(facts("GET", "resource_instances?attr_even=true&per_page=2")) == ["m0", "m2"]
    assert keys(facts("GET", "resource_instances?attr_even=true&per_page=2&page=2")) == ["m4"]
    assert keys(schema("GET", "resources/menu/roles?attr_even=false")) == ["r1", "r3"]


@pytest.mark.parametrize(
    "path", ["facts/tenants?where=x", "facts/users?tenat=x", "schema/resources?attr_k=v", "facts/set_rules?user=x"]
)
def test_a_parameter_that_a_list_does_not_know_is_refused_and_not_dropped(
    environment: Environment, api: httpx.Client, path: str
) -> None:
    refused = api.get(environment.path(path))
    assert refused.status_code == 422
    (fault,) = refused.json()["detail"]
    assert fault["loc"] == ["query", path.partition("?")[2].partition("=")[0]]


def test_the_same_is_refused_through_the_decision_point(api: httpx.Client) -> None:
    assert api.get("/facts/tenants?where=x").status_code == 422
    assert api.get("/local/role_assignments?where=x").status_code == 422


def test_a_star_at_the_end_of_a_search_makes_it_a_prefix(facts: Any, schema: Any) -> None:
    for key in ("abc-1", "abc-2", "x-abc", "a_c"):
        answer(facts("POST", "tenants", json={"key": key, "name": key}))
        answer(facts("POST", "users", json={"key": key}))
        answer(schema("POST", "roles", json={"key": key, "name": key}))
    for call, path in ((facts, "tenants"), (facts, "users"), (schema, "roles")):
        assert keys(call("GET", f"{path}?search=abc")) == ["abc-1", "abc-2", "x-abc"]
        assert keys(call("GET", f"{path}?search=abc*")) == ["abc-1", "abc-2"]
        assert keys(call("GET", f"{path}?search=ABC-1*")) == ["abc-1"]
        assert keys(call("GET", f"{path}?search=a_c*")) == ["a_c"], "nothing else in it is a pattern"


def test_the_message_of_a_404_begins_as_permits(schema: Any) -> None:
    missing = schema("GET", "roles/editor")
    assert missing.status_code == 404
    assert missing.json()["message"].startswith("The requested data could not be found")
    assert "'editor'" in missing.json()["message"]


# Conditions, rules, roles

EMPTY: list[dict[str, Any]] = [
    {},
    {"allOf": []},
    {"allOf": [{}]},
    {"allOf": [{"allOf": [{}]}, {}]},
    {"and": [{"or": [{}]}]},
    {"anyOf": []},
]


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.usefixtures("cars")
def test_every_empty_shape_of_conditions_is_taken_and_holds_nobody(
    api: httpx.Client, schema: Any, facts: Any, empty: dict[str, Any]
) -> None:
    nobody = {"key": "nobody", "name": "Nobody", "type": "userset", "conditions": empty}
    answer(schema("POST", "condition_sets", json=nobody))
    answer(facts("POST", "set_rules", json={"user_set": "nobody", "permission": "car:drive", "resource_set": "red"}))
    assert not drives(api, {"department": "kitchen"})["allow"]


@pytest.mark.usefixtures("cars")
def test_an_empty_condition_beside_others_changes_nothing_where_all_must_hold_and_is_refused_elsewhere(
    api: httpx.Client, schema: Any
) -> None:
    answer(schema("PATCH", "condition_sets/sales", json={"conditions": {"allOf": [{}, SALES]}}))
    assert drives(api, {"department": "sales"})["allow"]
    assert not drives(api, {"department": "kitchen"})["allow"]
    assert schema("PATCH", "condition_sets/sales", json={"conditions": {"anyOf": [{}, SALES]}}).status_code == 400
    assert schema("PATCH", "condition_sets/sales", json={"conditions": {"not": {}}}).status_code == 400


@pytest.mark.usefixtures("cars")
def test_a_rule_for_a_role_or_a_resource_has_the_names_that_permit_gives_them(schema: Any, facts: Any) -> None:
    answer(schema("POST", "roles", json={"key": "driver", "name": "Driver"}))
    rule = {"user_set": "driver", "permission": "car:drive", "resource_set": "car"}
    (made,) = answer(facts("POST", "set_rules", json={**rule, "is_role": True, "is_resource": True}))
    named = {"user_set": "__autogen_driver", "permission": "car:drive", "resource_set": "__autogen_car"}
    assert {name: made[name] for name in named} == named
    assert made["key"] == "__autogen_driver_car:drive___autogen_car"
    for query in ("user_set=driver", "user_set=__autogen_driver", "resource_set=__autogen_car", "resource_set=car"):
        assert len(answer(facts("GET", f"set_rules?{query}"))) == 1
    assert facts("POST", "set_rules", json=named).status_code == 409, "it is the same rule"
    assert facts("DELETE", "set_rules", json=named).status_code == 204
    (again,) = answer(facts("POST", "set_rules", json=named))
    assert again["user_set"] == "__autogen_driver"


@pytest.mark.parametrize("within", ["", "resources/menu/"])
def test_parents_of_roles_are_added_and_taken_away(schema: Any, within: str) -> None:
    answer(schema("POST", "resources", json={"key": "menu", "name": "Menu", "actions": {"read": {}}}))
    for key in ("cook", "chef", "helper"):
        answer(schema("POST", f"{within}roles", json={"key": key, "name": key}))
    assert answer(schema("PUT", f"{within}roles/chef/parents/cook"))["extends"] == ["cook"]
    assert answer(schema("PUT", f"{within}roles/chef/parents/cook"))["extends"] == ["cook"]
    assert answer(schema("PUT", f"{within}roles/chef/parents/helper"))["extends"] == ["cook", "helper"]
    assert schema("PUT", f"{within}roles/cook/parents/chef").status_code == 400
    assert answer(schema("DELETE", f"{within}roles/chef/parents/cook"))["extends"] == ["helper"]
    assert schema("DELETE", f"{within}roles/chef/parents/cook").status_code == 404
    assert schema("PUT", f"{within}roles/chef/parents/nobody").status_code == 404


# Keys


def made(client: httpx.Client, environment: Environment, access_level: str) -> dict[str, Any]:
    ids = {"project_id": environment.project_id, "environment_id": environment.environment_id}
    organization = client.get("/v2/api-key/scope").json()["organization_id"]
    body = {"organization_id": organization, **ids, "access_level": access_level}
    key: dict[str, Any] = answer(client.post("/v2/api-key", json=body))
    return key


def test_a_key_that_only_writes_mints_nothing(environment: Environment, local_server: LocalServer) -> None:
    with local_server.client(environment.key) as admin:
        writing = made(admin, environment, "write")
    with local_server.client(writing["secret"]) as client:
        path = f"/v2/api-key/{environment.project_id}/{environment.environment_id}"
        assert client.get(path).status_code == 403
        assert client.post(environment.path("facts/users"), json={"key": "rose"}).status_code == 200


def test_a_key_ends_with_the_key_that_it_was_made_with(environment: Environment, local_server: LocalServer) -> None:
    path = f"/v2/api-key/{environment.project_id}/{environment.environment_id}"
    with local_server.client(environment.key) as first:
        leaked = made(first, environment, "admin")
        other = made(first, environment, "admin")
    with local_server.client(leaked["secret"]) as thief:
        minted = answer(thief.get(path))
        made_so = made(thief, environment, "admin")
    with local_server.client(minted["secret"]) as below:
        grandchild = made(below, environment, "write")
    with local_server.client(environment.key) as first:
        assert first.delete(f"/v2/api-key/{leaked['id']}").status_code == 204
    for key, status in ((leaked, 401), (minted, 401), (made_so, 401), (grandchild, 401), (other, 200)):
        with local_server.client(key["secret"]) as client:
            assert client.get(environment.path("facts/users")).status_code == status


# The command


@pytest.mark.timeout(120)
def test_a_second_start_prints_the_lines_that_put_it_to_use(tmp_path: Path) -> None:
    with running_local(tmp_path) as first:
        project, environment = exported(first.said, "PROJECT_ID"), exported(first.said, "ENV_ID")
        assert len(first.environment_key) == 97
    with running_local(tmp_path) as second:
        assert "PERMIT_API_KEY=" not in second.said
        assert "--new-key environment makes another one" in second.said
        assert (exported(second.said, "PROJECT_ID"), exported(second.said, "ENV_ID")) == (project, environment)
        assert exported(second.said, "PERMIT_API_URL") == second.url
        assert exported(second.said, "PERMIT_PDP_URL") == second.url

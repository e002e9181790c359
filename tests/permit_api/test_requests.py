"""Access requests and operation approvals: asked by a child, decided by a parent, once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from permit import Permit

from tests.support.permit_elements import ACCESS, WANTED, Family
from tests.support.permit_local import Environment, LocalServer, answer


@pytest.fixture
def family(api: httpx.Client, environment: Environment) -> Iterator[Family]:
    made = Family(api, environment)
    made.make()
    yield made
    made.close()


def test_an_approved_access_request_gives_the_role_at_once(family: Family) -> None:
    asked = family.ask()
    assert (asked["status"], asked["type"]) == ("pending", "access_request")
    assert not family.may("henry", "read")
    approved = answer(
        family.api.put(family.access("joe", f"/{asked['id']}/approve"), json={"reviewer_comment": "Enjoy"})
    )
    assert (approved["status"], approved["reviewer_comment"]) == ("approved", "Enjoy")
    assert family.may("henry", "read")
    assert not family.may("henry", "read", "2")


def test_nobody_decides_their_own_request(family: Family) -> None:
    family.assign("henry", "parent", "restaurants:1")
    asked = family.ask()
    for verdict in ("approve", "deny"):
        answer(family.api.put(family.access("henry", f"/{asked['id']}/{verdict}"), json={}), 403)


def test_a_decided_request_is_not_decided_again(family: Family) -> None:
    asked = family.ask()
    denied = family.access("joe", f"/{asked['id']}/deny")
    assert answer(family.api.put(denied, json={"reviewer_comment": "No"}))["status"] == "denied"
    for verdict in ("approve", "deny"):
        answer(family.api.put(family.access("joe", f"/{asked['id']}/{verdict}"), json={}), 409)
    assert not family.may("henry", "read")


def test_who_is_neither_asker_nor_reviewer_sees_no_request(family: Family) -> None:
    asked = family.ask()
    assert answer(family.api.get(family.access("rose")))["data"] == []
    answer(family.api.get(family.access("rose", f"/{asked['id']}")), 404)
    answer(family.api.put(family.access("rose", f"/{asked['id']}/approve"), json={}), 404)
    for who in ("henry", "joe"):
        assert [each["id"] for each in answer(family.api.get(family.access(who)))["data"]] == [asked["id"]]


def test_a_reviewer_of_one_instance_reviews_nothing_on_another(family: Family) -> None:
    asked = family.ask(resource_instance="restaurants:2")
    answer(family.api.put(family.access("joe", f"/{asked['id']}/approve"), json={}), 404)


def test_a_role_that_the_element_does_not_offer_cannot_be_asked_for_nor_given(family: Family) -> None:
    body = {"access_request_details": {**WANTED, "role": "parent"}}
    answer(family.api.post(family.access("henry"), json=body), 403)
    asked = family.ask()
    answer(family.api.put(family.access("joe", f"/{asked['id']}/approve"), json={"role": "parent"}), 403)


def test_of_two_reviewers_at_one_moment_one_decides(family: Family) -> None:
    family.assign("rose", "parent", "restaurants:1")
    for _ in range(5):
        asked = family.ask()

        def decide(who: str, verdict: str, request: str = asked["id"]) -> int:
            with family.environment.client as client:
                return client.put(family.access(who, f"/{request}/{verdict}"), json={}).status_code

        with ThreadPoolExecutor(2) as both:
            codes = sorted(both.map(decide, ("joe", "rose"), ("approve", "deny")))
        assert codes == [200, 409]
        status = answer(family.api.get(family.access("henry", f"/{asked['id']}")))["status"]
        assert family.may("henry", "read") == (status == "approved")
        if status == "approved":
            held = {"role": "child-can-view", "tenant": "default", "resource_instance": "restaurants:1"}
            answer(family.api.request("DELETE", family.environment.path("facts/users/henry/roles"), json=held), 204)


def test_only_who_asked_can_cancel(family: Family) -> None:
    asked = family.ask()
    answer(family.api.put(family.access("joe", f"/{asked['id']}/cancel")), 403)
    assert answer(family.api.put(family.access("henry", f"/{asked['id']}/cancel")))["status"] == "canceled"
    answer(family.api.put(family.access("joe", f"/{asked['id']}/approve"), json={}), 409)


def test_requests_are_listed_by_status_role_and_instance(family: Family) -> None:
    first, second = family.ask(), family.ask(resource_instance="restaurants:2")
    answer(family.api.put(family.access("joe", f"/{first['id']}/deny"), json={}))

    def listed(**query: str) -> list[str]:
        return [each["id"] for each in answer(family.api.get(family.access("henry"), params=query))["data"]]

    assert listed(status="pending") == [second["id"]]
    assert listed(resource_instance_id="restaurants:1") == [first["id"]]
    assert listed(role="child-can-view") == [first["id"], second["id"]]
    assert listed(role="parent") == []


def test_who_does_not_belong_to_the_tenant_asks_for_nothing(family: Family) -> None:
    family.post("facts/users", {"key": "stranger"})
    answer(family.api.post(family.access("stranger"), json={"access_request_details": WANTED}), 403)
    answer(family.api.post("/v2/auth/elements_login_as", json={"user_id": "stranger", "tenant_id": "default"}), 404)


def test_an_approved_operation_can_be_done_on_that_instance_alone(family: Family) -> None:
    asked = family.ask_operation()
    assert asked["access_request_details"]["resource_instance"] == "restaurants:1"
    assert not family.may("henry", "operate")
    joe = family.logged_in("joe")
    assert answer(joe.put(family.approval(f"/{asked['id']}/approve"), json={}))["status"] == "approved"
    assert family.may("henry", "operate")
    assert not family.may("henry", "operate", "2")
    answer(joe.put(family.approval(f"/{asked['id']}/deny"), json={}), 409)


def test_operation_approvals_are_listed_with_who_asks(family: Family) -> None:
    family.ask_operation()
    found = answer(family.logged_in("joe").get(family.approval(), params={"status": "pending"}))
    [item] = found["data"]
    assert (item["requesting_user_first_name"], item["resource_key"], item["resource_instance_key"]) == (
        "Henry",
        "restaurants",
        "1",
    )
    assert answer(family.logged_in("rose").get(family.approval()))["total_count"] == 0


def test_a_fresh_instance_is_made_by_the_request_and_reviewed_by_its_reviewers_only(family: Family) -> None:
    asked = family.ask_operation("order-1")
    joe = family.logged_in("joe")
    answer(joe.put(family.approval(f"/{asked['id']}/approve"), json={}), 404)
    family.assign("joe", "_Reviewer_", "restaurants:order-1")
    answer(joe.put(family.approval(f"/{asked['id']}/approve"), json={}))
    assert family.may("henry", "operate", "order-1")


def test_an_asker_who_reviews_does_not_approve_the_own_operation(family: Family) -> None:
    family.assign("henry", "_Reviewer_", "restaurants:1")
    asked = family.ask_operation()
    answer(family.logged_in("henry").put(family.approval(f"/{asked['id']}/approve"), json={}), 403)


def test_an_api_key_is_no_log_in_and_a_log_in_is_no_api_key(family: Family) -> None:
    answer(family.api.get(family.approval()), 401)
    answer(family.logged_in("joe").get(family.environment.path("facts/users")), 401)


@pytest.mark.parametrize("end", ["DELETE", "POST"])
def test_a_log_in_ends_with_the_key_that_made_it(family: Family, local_server: LocalServer, end: str) -> None:
    ids = {"project_id": family.environment.project_id, "environment_id": family.environment.environment_id}
    with local_server.client() as owner:
        organization = answer(owner.get("/v2/api-key/scope"))["organization_id"]
        key = answer(owner.post("/v2/api-key", json={"organization_id": organization, **ids}))
        with local_server.client(key["secret"]) as client:
            body = {"user_id": "joe", "tenant_id": "default"}
            token = answer(client.post("/v2/auth/elements_login_as", json=body))["token"]
        with local_server.client(token) as joe:
            answer(joe.get(family.approval()))
            ended = f"/v2/api-key/{key['id']}" + ("" if end == "DELETE" else "/rotate-secret")
            assert owner.request(end, ended).is_success
            answer(joe.get(family.approval()), 401)
    answer(family.logged_in("joe").get(family.approval()))


async def test_the_sdk_logs_a_user_in(family: Family, permit: Permit) -> None:
    found = await permit.elements.login_as("henry", "default")
    assert found.redirect_url.startswith(family.environment.url)
    assert found.dict()["element_bearer_token"]


def test_a_log_in_leads_to_this_server_whatever_host_the_caller_names(family: Family) -> None:
    body = {"user_id": "henry", "tenant_id": "default"}
    found = answer(family.api.post("/v2/auth/elements_login_as", json=body, headers={"Host": "evil.example"}))
    assert found["redirect_url"] == f"{family.environment.url}/elements"


def test_a_derived_role_reviews_as_a_direct_one_does(family: Family) -> None:
    rooms = {"key": "cities", "name": "Cities", "actions": {"read": {}}, "roles": {"mayor": {"name": "Mayor"}}}
    family.post("schema/resources", rooms)
    family.post("schema/resources/restaurants/relations", {"key": "city", "name": "C", "subject_resource": "cities"})
    rule = {"role": "mayor", "on_resource": "cities", "linked_by_relation": "city"}
    family.post("schema/resources/restaurants/roles/parent/implicit_grants", rule)
    ends = {"subject": "cities:rome", "relation": "city", "object": "restaurants:2", "tenant": "default"}
    family.post("facts/relationship_tuples", ends)
    asked = family.ask(resource_instance="restaurants:2")
    answer(family.api.put(family.access("rose", f"/{asked['id']}/approve"), json={}), 404)
    family.assign("rose", "mayor", "cities:rome")
    answer(family.api.put(family.access("rose", f"/{asked['id']}/approve"), json={}))
    assert family.may("henry", "read", "2")


def test_who_has_left_the_tenant_gets_nothing_by_an_old_request(family: Family) -> None:
    asked = family.ask()
    answer(family.api.delete(family.environment.path("facts/tenants/default/users/henry")), 204)
    answer(family.api.put(family.access("joe", f"/{asked['id']}/approve"), json={}), 409)
    assert not family.may("henry", "read")
    assert answer(family.api.get(family.access("joe", f"/{asked['id']}")))["status"] == "pending"


def test_a_reviewer_comments_on_an_open_request(family: Family) -> None:
    asked = family.ask()
    review = family.access("joe", f"/{asked['id']}/reviewer")
    assert answer(family.api.patch(review, json={"reviewer_comment": "Which day?"}))["status"] == "pending"
    answer(family.api.patch(family.access("henry", f"/{asked['id']}/reviewer"), json={"reviewer_comment": "!"}), 403)
    answer(family.api.put(family.access("joe", f"/{asked['id']}/deny"), json={}))
    answer(family.api.patch(review, json={"reviewer_comment": "too late"}), 409)


def test_the_level_of_a_logged_in_user_is_that_of_the_highest_role(family: Family) -> None:
    runtime = family.environment.path(f"elements/config/{ACCESS}/runtime")
    where = {"resource_instance_id": "restaurants:1"}
    for user, level in (("joe", "LEVEL_1"), ("henry", "UNCONFIGURED")):
        found = answer(family.logged_in(user).get(runtime, params=where))
        assert found["current_permission_level"] == level
    answer(family.logged_in("joe").get(family.environment.path("elements/config/no-such-element/runtime")), 404)


def test_a_user_s_same_request_does_not_wait_twice(family: Family) -> None:
    family.ask_operation()
    details = {"tenant": "default", "resource": "restaurants", "resource_instance": "restaurants:1"}
    again = {"access_request_details": details, "reason": "again"}
    answer(family.logged_in("henry").post(family.approval(), json=again), 409)


def test_a_program_with_a_key_decides_itself_what_it_asks_for_its_users(family: Family) -> None:
    for number in range(21):
        family.post("facts/resource_instances", {"key": f"n{number}", "resource": "restaurants", "tenant": "default"})
        family.ask(resource_instance=f"restaurants:n{number}")


def test_a_program_s_same_request_does_not_wait_twice_either(family: Family) -> None:
    asked = family.ask()
    answer(family.api.post(family.access("henry"), json={"access_request_details": WANTED}), 409)
    answer(family.api.put(family.access("henry", f"/{asked['id']}/cancel")))
    assert family.ask()["id"] != asked["id"]


def test_a_comment_and_another_role_on_an_open_request_stay_until_it_is_decided(family: Family) -> None:
    asked = family.ask()
    review = family.access("joe", f"/{asked['id']}/reviewer")
    assert answer(family.api.patch(review, json={"reviewer_comment": "Why?"}))["reviewer_comment"] == "Why?"
    assert answer(family.api.get(family.access("henry", f"/{asked['id']}")))["reviewer_comment"] == "Why?"
    answer(family.api.put(family.access("joe", f"/{asked['id']}/deny"), json={"reviewer_comment": "No"}))
    answer(family.api.patch(review, json={"reviewer_comment": "Still no"}), 409)


def test_an_element_s_token_cannot_fill_the_database(family: Family) -> None:
    family.ask_operation()
    henry, details = family.logged_in("henry"), {"tenant": "default", "resource": "restaurants"}

    def ask(number: int, reason: str = "please") -> int:
        body = {"access_request_details": {**details, "resource_instance": f"restaurants:new-{number}"}}
        return henry.post(family.approval(), json={**body, "reason": reason}).status_code

    assert ask(0, "x" * 501) == 422
    assert [ask(number) for number in range(19)] == [200] * 19
    assert ask(19) == 409, "twenty wait"
    listed = answer(family.api.get(family.environment.path("facts/resource_instances"), params={"search": "new-"}))
    assert len(listed) == 19, "what was refused has made no instance"
    answer(family.logged_in("rose").get(family.approval()))


def test_whoever_cancels_and_asks_again_comes_to_an_end_all_the_same(family: Family) -> None:
    codes, henry = [], family.logged_in("henry")
    details = {"tenant": "default", "resource": "restaurants"}
    for number in range(101):
        body = {"access_request_details": {**details, "resource_instance": f"restaurants:{1 + number % 2}"}}
        asked = henry.post(family.approval(), json=body)
        codes.append(asked.status_code)
        if asked.status_code == 200:
            answer(henry.put(family.approval(f"/{asked.json()['id']}/cancel")))
    assert codes == [200] * 100 + [409]


def test_lists_are_read_page_by_page_and_hold_what_one_may_see(family: Family) -> None:
    asked = [family.ask()["id"], family.ask(resource_instance="restaurants:2")["id"], family.ask("rose")["id"]]

    def listed(who: str, **query: int) -> tuple[list[str], int]:
        found = answer(family.api.get(family.access(who), params=query))
        return [each["id"] for each in found["data"]], found["total_count"]

    assert listed("joe") == ([asked[0], asked[2]], 2), "joe reviews the first restaurant alone"
    assert listed("joe", per_page=1, page=2) == ([asked[2]], 2)
    assert listed("henry") == (asked[:2], 2)
    assert listed("rose") == (asked[2:], 1)

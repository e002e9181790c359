"""The checks that were made here are listed as Permit.io lists them, and can be asked again."""

from __future__ import annotations

import time
import uuid

from tests.support.permit_checks import Checks
from tests.support.permit_local import Environment, LocalServer, answer


def test_a_check_is_listed_at_once_with_input_and_outcome(checks: Checks, environment: Environment) -> None:
    assert checks.ask("ann", "read", context={"device": "phone"})
    assert not checks.ask("bob", "write", "one")
    found = checks.found()
    assert (found["total_count"], found["page_count"], found["pagination_count"]) == (2, 1, 2)
    second, first = found["data"]
    assert (first["user_key"], first["action"], first["resource_type"], first["tenant"]) == (
        "ann",
        "read",
        "doc",
        "default",
    )
    assert (first["decision"], second["decision"]) == (True, False)
    assert first["env_id"] == environment.environment_id
    assert first["reason"].startswith("tenant_role: user ann has role reader")
    assert second["reason"].startswith("no_such_user")
    whole = answer(checks.api.get(environment.path(f"pdps/audit_logs/{first['id']}")))
    assert whole["raw_data"]["engine"] == "GENERIC"
    assert whole["input"]["context"] == {"device": "phone"}
    assert whole["result"]["allow"] is True


def test_an_environment_says_whether_it_has_any(checks: Checks, environment: Environment) -> None:
    stats = f"/v2/projects/{environment.project_id}/envs/{environment.environment_id}/stats"
    assert not answer(checks.api.get(stats))["stats"]["has_decision_logs"]
    checks.ask("ann", "read")
    checks.found()
    assert answer(checks.api.get(stats))["stats"]["has_decision_logs"]


def test_each_check_of_a_bulk_call_is_kept(checks: Checks) -> None:
    asked = [{"user": {"key": user}, "action": "read", "resource": {"type": "doc"}} for user in ("ann", "bob", "eve")]
    given = answer(checks.api.post("/allowed/bulk", json=asked))["allow"]
    kept = checks.found()["data"]
    assert {each["user_key"]: each["decision"] for each in kept} == {"ann": True, "bob": False, "eve": False}
    assert [each["allow"] for each in given] == [True, False, False]


def test_the_list_is_narrowed_by_each_of_its_parameters(checks: Checks) -> None:
    begun = int(time.time())
    checks.ask("ann", "read")
    checks.ask("ann", "write", "one")
    checks.ask("bob", "read", tenant="acme")
    assert checks.users() == ["bob", "ann", "ann"]
    assert checks.users(users="bob") == ["bob"]
    assert checks.users(users=["ann@example.com", "nobody"]) == ["ann", "ann"]
    assert checks.users(decision=False) == ["bob"]
    assert checks.users(resources="doc:one") == ["ann"]
    assert checks.users(resources=["doc", "other"]) == ["bob", "ann", "ann"]
    assert checks.users(tenant="acme", action="read") == ["bob"]
    assert checks.users(action="write") == ["ann"]
    assert checks.users(timestamp_from=begun, timestamp_to=int(time.time())) == ["bob", "ann", "ann"]
    assert checks.users(timestamp_to=begun - 60) == checks.users(timestamp_from=begun + 600) == []
    assert checks.users(query_type="check") == ["bob", "ann", "ann"]
    assert checks.users(query_type="get_user_permissions") == checks.users(pdp_id=str(uuid.uuid4())) == []
    assert checks.users(page=2, per_page=2, sort_by="timestamp") == ["ann"]
    checks.found(422, user="ann")
    checks.found(422, timestamp_from=-1)


def test_checks_of_another_environment_are_not_seen(checks: Checks, local_server: LocalServer) -> None:
    checks.ask("ann", "read")
    (one,) = checks.found()["data"]
    other = local_server.new_environment()
    with other.client as client:
        assert answer(client.get(other.path("pdps/audit_logs")))["data"] == []
        answer(client.get(other.path(f"pdps/audit_logs/{one['id']}")), 404)
        answer(client.get(checks.environment.path("pdps/audit_logs")), 403)


def test_a_kept_check_asked_again_as_permit_cli_asks_it_has_the_same_answer(checks: Checks) -> None:
    """It says of no key that it is empty, and leaves attributes out."""
    for user, action, key in (
        ("ann", "read", None),
        ("ann", "write", "one"),
        ("ann", "write", None),
        ("bob", "read", "one"),
    ):
        checks.ask(user, action, key)
    for each in checks.found()["data"]:
        whole = answer(checks.api.get(checks.environment.path(f"pdps/audit_logs/{each['id']}")))
        context = whole["context"]
        resource = {
            "type": each["resource_type"],
            "key": context["resource"].get("key") or "",
            "tenant": each["tenant"],
        }
        asked = {
            "tenant": each["tenant"],
            "action": each["action"],
            "user": {"key": each["user_key"], "attributes": {}},
            "resource": {**resource, "attributes": {}, "context": {}},
            "context": {},
        }
        assert answer(checks.api.post("/allowed", json=asked))["allow"] is each["decision"]

"""Every write is remembered: who did it, what was sent and what came of it, and no secret with it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from permit_api.app import create_app
from permit_api.nouns.beginning import Issued, begin, issue
from permit_api.store.opening import open_store
from permit_api.store.session import Opened
from permit_core.audit.comparisons import GrantComparison, RequestComparison
from permit_core.audit.log import AuditLog
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.ports.record import AuditRecord
from permit_core.ports.request import RequestStatus
from permit_core.stores.requests import RequestStore
from permit_core.stores.tables import audit_records

WEBHOOK_TOKEN = "the-token-of-the-webhook"
ASKS_ONLY = "Decisions"
MINTS = "/v2/api-key/{proj_id}/{env_id}"


@dataclass
class Wrote:
    """One call that wrote, and the records of it, by chain; those of requests are told apart."""

    answered: Any
    records: dict[str, AuditRecord]
    of_requests: list[AuditRecord]


@dataclass
class Written:
    """A server in this process, the calls that were made of it, and every secret that it answered with."""

    app: FastAPI
    database: Database
    log: AuditLog
    owner: Issued
    key: Issued
    called: set[tuple[str, str]] = field(default_factory=set)
    secrets: set[str] = field(default_factory=lambda: {WEBHOOK_TOKEN})
    seen: dict[str, int] = field(default_factory=dict)

    def path(self, noun: str) -> str:
        """The address of something in the environment of the key."""
        kind, _, rest = noun.partition("/")
        return f"/v2/{kind}/{self.key.project_id}/{self.key.environment_id}/{rest}"

    async def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Wrote:
        """Call, and read what was recorded since the last call."""
        headers = {"Authorization": f"Bearer {token or self.key.secret}"}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://local", headers=headers) as client:
            sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
            response = await client.request(method, path, **sent)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        self.called.add((method, path))
        answered = response.json() if response.content else None
        if isinstance(answered, dict):
            self.secrets |= {answered[name] for name in ("secret", "token") if name in answered}
        records, of_requests = await self.new_records()
        assert records or method == "GET", f"{method} {path} left no record"
        return Wrote(answered, records, of_requests)

    async def new_records(self) -> tuple[dict[str, AuditRecord], list[AuditRecord]]:
        """What is in the chains since this was asked last: one record of the call a chain, and those of requests."""
        found: dict[str, AuditRecord] = {}
        of_requests: list[AuditRecord] = []
        for chain in await self.log.environments():
            records = await self.log.records(chain, after_seq=self.seen.get(chain, 0))
            if records:
                of_requests += [record for record in records if record.event.startswith("request.")]
                (found[chain],) = [record for record in records if record.event.startswith("api.")]
                self.seen[chain] = records[-1].seq
        return found, of_requests

    def written_routes(self) -> Iterator[tuple[str, str]]:
        """Method and path of every call of the application that writes."""
        for path, item in self.app.openapi()["paths"].items():
            for method, described in item.items():
                if (method != "get" and described["tags"] != [ASKS_ONLY]) or (method == "get" and path == MINTS):
                    yield method.upper(), path


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Written]:
    """A new server over a new database."""
    database = Database.open(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await open_store(database)
        key = await database.write(lambda connection: begin(Opened(connection, utc_now())))
        owner = await database.write(lambda connection: issue(Opened(connection, utc_now()), "organization"))
        assert key is not None
        log = AuditLog(database)
        yield Written(create_app(database, audit=log), database, log, owner, key, secrets={owner.secret, key.secret})


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Written]:
    async with serving(f"sqlite+aiosqlite:///{tmp_path / 'local.db'}") as server:
        yield server


@pytest.fixture
async def written_on_each(database_url: str) -> AsyncIterator[Written]:
    """On each kind of database."""
    async with serving(database_url) as server:
        yield server


DOC = {
    "key": "doc",
    "name": "Doc",
    "actions": {"read": {}, "write": {}},
    "roles": {"reader": {"name": "Reader", "permissions": ["read"]}, "owner": {"name": "Owner"}},
    "relations": {"parent": "folder"},
    "attributes": {"color": {"type": "string"}},
}
FOLDER = {"key": "folder", "name": "Folder", "actions": {"read": {}}, "roles": {"keeper": {"name": "Keeper"}}}
RULE = {"role": "keeper", "on_resource": "folder", "linked_by_relation": "parent"}
SET_RULE = {"user_set": "grown", "permission": "doc:read", "resource_set": "red"}
ELEMENT = {
    "key": "asking",
    "name": "Asking",
    "elements_type": "user_management",
    "settings": {"resource": "doc"},
    "roles_to_levels": {"LEVEL_1": ["doc#owner"], "LEVEL_4": ["doc#reader"]},
    "webhook": {"url": "https://example.com", "bearer_token": WEBHOOK_TOKEN},
}
ONCE = {**ELEMENT, "key": "once", "elements_type": "operation_approval", "roles_to_levels": {}}
HELD = {"user": "ann", "role": "member", "tenant": "default"}
ON_ONE = {"user": "bob", "role": "reader", "tenant": "default", "resource_instance": "doc:1"}
LINK = {"subject": "folder:1", "relation": "parent", "object": "doc:1"}
WANTED = {"tenant": "default", "resource": "doc", "resource_instance": "doc:1", "role": "reader"}
Call = tuple[str, str, Any]


def schema() -> Iterator[Call]:
    """Calls about what decisions are made by, in an order in which they can be made."""
    yield from (("POST", "resources", {**FOLDER}), ("POST", "resources", DOC))
    yield from (
        ("PUT", "resources/doc", {k: v for k, v in DOC.items() if k != "key"}),
        ("PATCH", "resources/doc", {"name": "D"}),
    )
    yield "POST", "resources", {"key": "gone", "name": "Gone", "actions": {}}
    yield "DELETE", "resources/gone", None
    for noun, key, more, changed in (
        ("actions", "print", {"name": "Print"}, {"name": "P"}),
        ("action_groups", "all", {"name": "All", "actions": ["read"]}, {"name": "A"}),
        ("attributes", "size", {"type": "number"}, {"description": "how large"}),
        ("roles", "printer", {"name": "Printer"}, {"name": "P"}),
    ):
        yield "POST", f"resources/doc/{noun}", {"key": key, **more}
        yield "PATCH", f"resources/doc/{noun}/{key}", changed
        if noun == "roles":
            yield "POST", f"resources/doc/roles/{key}/permissions", {"permissions": ["read"]}
            yield "DELETE", f"resources/doc/roles/{key}/permissions", {"permissions": ["read"]}
            yield "PUT", f"resources/doc/roles/{key}/parents/reader", None
            yield "DELETE", f"resources/doc/roles/{key}/parents/reader", None
        yield "DELETE", f"resources/doc/{noun}/{key}", None
    yield "POST", "resources/doc/relations", {"key": "beside", "name": "Beside", "subject_resource": "doc"}
    yield "DELETE", "resources/doc/relations/beside", None
    yield "POST", "resources/doc/roles/reader/implicit_grants", RULE
    yield "PUT", "resources/doc/roles/reader/implicit_grants/conditions", {"no_direct_roles_on_object": True}
    yield "DELETE", "resources/doc/roles/reader/implicit_grants", RULE
    yield "POST", "users/attributes", {"key": "age", "type": "number"}
    yield "PATCH", "users/attributes/age", {"description": "in years"}
    yield "POST", "users/attributes", {"key": "shoe", "type": "number"}
    yield "DELETE", "users/attributes/shoe", None
    yield "POST", "roles", {"key": "member", "name": "Member"}
    yield "POST", "roles", {"key": "guest", "name": "Guest"}
    yield "PATCH", "roles/guest", {"name": "G"}
    yield "POST", "roles/guest/permissions", {"permissions": ["doc:read"]}
    yield "DELETE", "roles/guest/permissions", {"permissions": ["doc:read"]}
    yield "PUT", "roles/guest/parents/member", None
    yield "DELETE", "roles/guest/parents/member", None
    yield "DELETE", "roles/guest", None
    yield "PUT", "bulk/roles", {"operations": [{"key": "many", "name": "Many"}]}
    conditions = {"allOf": [{"allOf": [{"anyOf": [{"allOf": [{"user.age": {"greater-than": 18}}]}]}]}]}
    yield "POST", "condition_sets", {"key": "grown", "name": "Grown", "type": "userset", "conditions": conditions}
    red = {"allOf": [{"resource.color": {"equals": "red"}}]}
    yield (
        "POST",
        "condition_sets",
        {"key": "red", "name": "Red", "type": "resourceset", "resource_id": "doc", "conditions": red},
    )
    yield "PATCH", "condition_sets/red", {"name": "R"}
    yield "POST", "condition_sets", {"key": "none", "name": "None", "type": "userset", "conditions": {}}
    yield "DELETE", "condition_sets/none", None


def facts(*, alone: bool) -> Iterator[Call]:
    """Calls about what decisions are made on."""
    yield "POST", "users", {"key": "ann", "attributes": {"password": "hunter2"}}
    yield "PUT", "users/bob", {"key": "bob"}
    yield "PATCH", "users/ann", {"first_name": "Ann"}
    yield "POST", "tenants", {"key": "home", "name": "Home"}
    yield "PATCH", "tenants/home", {"name": "House"}
    yield "POST", "tenants/home/users", {"key": "eve"}
    yield "DELETE", "tenants/home/users/eve", None
    yield "DELETE", "users/eve", None
    yield "DELETE", "tenants/home", None
    for key in ("1", "2"):
        yield "POST", "resource_instances", {"key": key, "resource": "doc", "tenant": "default"}
    yield "PATCH", "resource_instances/doc:1", {"attributes": {"color": "red"}}
    yield "DELETE", "resource_instances/doc:2", None
    yield "POST", "users/ann/roles", {"role": "many", "tenant": "default"}
    yield "DELETE", "users/ann/roles", {"role": "many", "tenant": "default"}
    yield "POST", "role_assignments", HELD
    yield "DELETE", "role_assignments", HELD
    yield "POST", "role_assignments/bulk", [HELD, {**HELD, "user": "bob"}, {**ON_ONE, "role": "owner"}]
    yield "DELETE", "role_assignments/bulk", [{**HELD, "role": "many"}]
    yield "POST", "relationship_tuples", {**LINK, "tenant": "default"}
    yield "DELETE", "relationship_tuples", LINK
    yield "POST", "relationship_tuples/bulk", {"operations": [LINK]}
    yield "DELETE", "relationship_tuples/bulk", {"idents": [LINK]}
    yield "POST", "bulk/users", {"operations": [{"key": f"u{number}"} for number in range(60)]}
    yield "PUT", "bulk/users", {"operations": [{"key": "u1"}]}
    yield "DELETE", "bulk/users", {"idents": [f"u{number}" for number in range(60)]}
    yield "POST", "bulk/tenants", {"operations": [{"key": "t1", "name": "T"}]}
    yield "DELETE", "bulk/tenants", {"idents": ["t1"]}
    yield "PUT", "bulk/resource_instances", {"operations": [{"key": "9", "resource": "doc", "tenant": "default"}]}
    yield "DELETE", "bulk/resource_instances", {"idents": ["doc:9"]}
    yield from (("POST", "set_rules", SET_RULE), ("DELETE", "set_rules", SET_RULE))
    if alone:
        yield "DELETE", "users/ann", None
        yield "POST", "users", {"key": "ann"}
        yield "POST", "role_assignments", HELD


async def asking(written: Written, base: str) -> None:
    """Access requests that a program makes for its users, in every way they can end."""

    def address(user: str, rest: str = "") -> str:
        return f"{base}access_requests/asking/user/{user}/tenant/default{rest}"

    for verdict, who in (("approve", "bob"), ("deny", "bob"), ("cancel", "ann")):
        asked = await written.call("POST", address("ann"), {"access_request_details": WANTED})
        if verdict == "deny":
            await written.call(
                "PATCH", address("bob", f"/{asked.answered['id']}/reviewer"), {"reviewer_comment": "Why?"}
            )
        body = None if verdict == "cancel" else {"reviewer_comment": "So"}
        await written.call("PUT", address(who, f"/{asked.answered['id']}/{verdict}"), body)


async def invites(written: Written, base: str) -> None:
    """Invites, and one of them accepted."""
    ids = {}
    for name, path in (("role_id", "schema/resources/doc/roles/reader"), ("tenant_id", "facts/tenants/default")):
        ids[name] = (await written.call("GET", written.path(path))).answered["id"]
    instance = await written.call("GET", written.path("facts/resource_instances/doc:1"))
    ids["resource_instance_id"] = instance.answered["id"]
    for key in ("zoe", "kim"):
        names = {"first_name": key, "last_name": key, "email": f"{key}@example.com"}
        body = {"key": key, "status": "pending", **names, **ids}
        made = await written.call("POST", f"{base}user_invites", body)
        await written.call("PATCH", f"{base}user_invites/{made.answered['id']}", body)
        if key == "zoe":
            accepted = {"key": key, "email": names["email"], "attributes": {}}
            await written.call("POST", f"{base}user_invites/{made.answered['id']}/approve", accepted)
            await written.call("DELETE", f"{base}users/zoe")
        else:
            await written.call("DELETE", f"{base}user_invites/{made.answered['id']}")


async def logged_in(written: Written, user: str) -> str:
    body = {"user_id": user, "tenant_id": "default"}
    return str((await written.call("POST", "/v2/auth/elements_login_as", body)).answered["token"])


async def through_elements(written: Written) -> list[Wrote]:
    """What users who are logged in ask and decide."""
    for config in (ELEMENT, ONCE):
        await written.call("POST", written.path("elements/config"), config)
    await written.call("PATCH", written.path("elements/config/asking"), {"name": "Asked"})
    await written.call("POST", written.path("facts/role_assignments"), {**ON_ONE, "role": "_Reviewer_"})
    ann, bob = await logged_in(written, "ann"), await logged_in(written, "bob")
    done = []
    once = {each: value for each, value in WANTED.items() if each != "role"}
    kinds: tuple[tuple[str, str, dict[str, str]], ...]
    kinds = (("access_requests", "asking", WANTED), ("operation_approval", "once", once))
    for kind, element, details in kinds:
        base = written.path(f"elements/config/{element}/{kind}")
        for verdict, token in (("approve", bob), ("deny", bob), ("cancel", ann)):
            asked = await written.call("POST", base, {"access_request_details": details, "reason": "please"}, ann)
            done.append(asked)
            address = f"{base}/{asked.answered['id']}"
            if verdict == "deny":
                done.append(await written.call("PATCH", f"{address}/reviewer", {"reviewer_comment": "Why?"}, bob))
            done.append(await written.call("PUT", f"{address}/{verdict}", None if verdict == "cancel" else {}, token))
    return done


async def account(written: Written) -> None:
    """Projects, environments and keys."""
    scope = (await written.call("GET", "/v2/api-key/scope", token=written.owner.secret)).answered
    owner = written.owner.secret
    await written.call("POST", "/v2/projects", {"key": "p", "name": "P"}, owner)
    await written.call("PATCH", "/v2/projects/p", {"name": "Q"}, owner)
    made = await written.call("POST", "/v2/projects/p/envs", {"key": "e", "name": "E"}, owner)
    environment = made.answered["id"]
    assert set(made.records) == {scope["organization_id"], environment}
    await written.call("PATCH", "/v2/projects/p/envs/e", {"name": "F"}, owner)
    await written.call("POST", "/v2/projects/p/envs/e/copy", {"target_env": {"new": {"key": "c", "name": "C"}}}, owner)
    minted = await written.call("GET", "/v2/api-key/p/e", token=owner)
    assert set(minted.records) == {scope["organization_id"], environment}
    assert minted.records[environment].body["made"] == {"api_keys": [minted.answered["id"]]}
    within = minted.answered["secret"]
    await written.call("POST", "/v2/schema/p/e/roles", {"key": "member", "name": "M"}, within)
    await written.call(
        "POST", "/facts/users", {"key": "ann", "role_assignments": [{"role": "member", "tenant": "default"}]}, within
    )
    whole = {"organization_id": scope["organization_id"], "object_type": "org"}
    key = (await written.call("POST", "/v2/api-key", whole, owner)).answered
    await written.call("POST", f"/v2/api-key/{key['id']}/rotate-secret", token=owner)
    await written.call("DELETE", f"/v2/api-key/{key['id']}", token=owner)
    await written.call("DELETE", "/v2/projects/p/envs/c", token=owner)
    gone = await written.call("DELETE", "/v2/projects/p", token=owner)
    assert environment in gone.records


async def everything(written: Written) -> list[Wrote]:
    """Every call that writes, at least once; what those did who were logged in."""
    for method, path, body in schema():
        await written.call(method, written.path(f"schema/{path}"), body)
    for base in (written.path("facts/"), "/facts/"):
        for method, path, body in facts(alone=base == "/facts/"):
            await written.call(method, base + path, body)
        if base != "/facts/":
            done = await through_elements(written)
        await asking(written, base)
        await invites(written, base)
        if base != "/facts/":
            await written.call("DELETE", f"{base}users/ann")
            await written.call("DELETE", f"{base}users/bob")
            await written.call("DELETE", f"{base}resource_instances/doc:1")
    await written.call("DELETE", written.path("elements/once"))
    await account(written)
    return done


async def test_every_call_that_writes_leaves_a_record_and_no_secret(written_on_each: Written) -> None:
    written = written_on_each
    await everything(written)
    for method, path in written.written_routes():
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"\Z")
        assert any(called == method and pattern.match(at) for called, at in written.called), f"{method} {path}"
    for secret in written.secrets:
        found = await written.database.read(lambda connection: connection.execute(select(audit_records)).all())
        assert secret not in json.dumps([tuple(row) for row in found], default=str)
    for chain in await written.log.environments():
        assert (await written.log.verify(chain, comparisons=[RequestComparison(), GrantComparison()])).ok


async def test_a_record_names_the_key_the_call_what_was_sent_and_what_came_of_it(written: Written) -> None:
    environment = str(written.key.environment_id)
    body = {"key": "ann", "attributes": {"password": "hunter2"}}
    made = await written.call("POST", written.path("facts/users"), body)
    (record,) = made.records.values()
    assert (record.environment, record.event) == (environment, "api.users.create_user")
    assert record.user.startswith("api_key:")
    assert (record.tenant, record.agent, record.session) == ("", "", "")
    assert record.body == {
        "path": {"proj_id": written.key.project_id, "env_id": environment},
        "given": {"key": "ann", "attributes": {"password": "[redacted]"}},
        "made": {"users": [made.answered["id"]]},
    }


async def test_every_item_of_a_bulk_call_and_every_level_of_a_condition_is_remembered(written: Written) -> None:
    found = {}
    for method, path, body in schema():
        wrote = await written.call(method, written.path(f"schema/{path}"), body)
        if path == "condition_sets":
            found[body["key"]] = next(iter(wrote.records.values())).body["given"], body
    assert found["grown"][0] == found["grown"][1]
    people = {"operations": [{"key": f"u{number}"} for number in range(200)]}
    wrote = await written.call("POST", written.path("facts/bulk/users"), people)
    (record,) = wrote.records.values()
    assert record.body["given"] == people
    assert len(record.body["made"]["users"]) == 200


async def test_who_is_logged_in_to_an_element_acts_through_the_key_and_in_that_log_in(written: Written) -> None:
    for kind, calls in (("schema", schema()), ("facts", facts(alone=False))):
        for method, path, body in calls:
            await written.call(method, written.path(f"{kind}/{path}"), body)
    records = [record for wrote in await through_elements(written) for record in wrote.records.values()]
    assert {(record.user, record.tenant) for record in records} == {("ann", "default"), ("bob", "default")}
    assert {record.agent.partition(":")[0] for record in records} == {"api_key"}
    assert len({record.session for record in records}) == 2
    assert all(record.session for record in records)


async def test_a_request_is_one_of_the_core_s_and_each_of_its_steps_is_on_record(written: Written) -> None:
    for kind, calls in (("schema", schema()), ("facts", facts(alone=False))):
        for method, path, body in calls:
            await written.call(method, written.path(f"{kind}/{path}"), body)
    done = [record for wrote in await through_elements(written) for record in wrote.of_requests]
    assert [(record.event, record.user) for record in done[:7]] == [
        ("request.created", "ann"),
        ("request.approved", "bob"),
        ("request.created", "ann"),
        ("request.amended", "bob"),
        ("request.denied", "bob"),
        ("request.created", "ann"),
        ("request.cancelled", "ann"),
    ]
    environment = str(written.key.environment_id)
    store = RequestStore()
    async with written.database.reading() as reading:
        found = await store.find(environment, reading, done[0].request)
    assert found is not None
    assert (found.status, found.user, found.role, found.decided_by) == (RequestStatus.APPROVED, "ann", "reader", "bob")
    assert str(found.resource) == "doc:1"


async def test_a_request_does_not_outlive_who_or_what_it_is_about(written: Written) -> None:
    for kind, calls in (("schema", schema()), ("facts", facts(alone=False))):
        for method, path, body in calls:
            await written.call(method, written.path(f"{kind}/{path}"), body)
    await written.call("POST", written.path("elements/config"), ELEMENT)
    address = written.path("facts/access_requests/asking/user/ann/tenant/default")
    ask = {"access_request_details": WANTED}
    for taken in ("facts/users/ann", "facts/resource_instances/doc:1", "schema/resources/doc/roles/reader"):
        await written.call("POST", address, ask)
        gone = await written.call("DELETE", written.path(taken))
        assert [record.event for record in gone.of_requests] == ["request.cancelled"]
        await written.call("PUT", written.path("facts/users/ann"), {"key": "ann"})
        await written.call("POST", written.path("facts/role_assignments/bulk"), [HELD])
        again = {"operations": [{"key": "1", "resource": "doc", "tenant": "default"}]}
        await written.call("PUT", written.path("facts/bulk/resource_instances"), again)
        assert (await written.call("GET", address)).answered["data"] == []


@pytest.mark.parametrize("deep", ["Infinity", "[" * 700 + "]" * 700])
async def test_what_could_not_be_recorded_is_refused(written: Written, deep: str) -> None:
    body = f'{{"key": "r", "name": "R", "v1compat_settings": {deep}}}'
    with pytest.raises(AssertionError, match=r"400|422"):
        await written.call("POST", written.path("schema/roles"), body.encode())
    assert await written.new_records() == ({}, [])


async def test_what_is_refused_leaves_no_record_and_what_is_taken_away_is_counted(written: Written) -> None:
    with pytest.raises(AssertionError, match="404"):
        await written.call("DELETE", written.path("facts/users/nobody"))
    assert await written.new_records() == ({}, [])
    await written.call("POST", written.path("facts/users"), {"key": "ann"})
    gone = await written.call("DELETE", written.path("facts/users/ann"))
    (record,) = gone.records.values()
    assert record.body["removed"] == {"users": 1}
    assert record.body["path"]["user_id"] == "ann"

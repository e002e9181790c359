"""A check is answered at once when everything for it is at hand, as the ordinary way would answer it, and never by what was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update

from permit_api.answers import MAX_BODY_BYTES
from permit_api.app import create_app
from permit_api.nouns.beginning import Issued, begin, issue
from permit_api.store.opening import open_store
from permit_api.store.session import Opened
from permit_api.store.tables import api_keys
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.stores.facts import FactStore
from tests.support.permit_local import answer

RESOURCE = {
    "key": "doc",
    "name": "Doc",
    "actions": {"read": {}},
    "roles": {"reader": {"name": "R", "permissions": ["read"]}},
}
READER = {"user": "ann", "role": "reader", "tenant": "default", "resource_instance": "doc:1"}
QUESTION = {"user": {"key": "ann"}, "action": "read", "resource": {"type": "doc", "key": "1", "tenant": "default"}}


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    kind: str
    body: bytes

    @property
    def allow(self) -> bool:
        """The answer to a check, which must have been answered."""
        assert self.status == 200, self.body
        return bool(json.loads(self.body)["allow"])


class Point:
    """A decision point over a database, and how often it went to the database's threads to read."""

    def __init__(self, database: Database, key: Issued) -> None:
        self.database, self.key, self.app, self.reads = database, key, create_app(database), 0
        self._read, self._reading = database.read, database.reading

    def reading(self) -> Any:
        """Open a transaction that reads, and count."""
        self.reads += 1
        return self._reading()

    async def read(self, *arguments: Any) -> Any:
        """Read, and count."""
        self.reads += 1
        return await self._read(*arguments)

    async def ask(self, question: Any = QUESTION, *, secret: str | None = None, pieces: int = 1) -> Answered:
        """Ask; a body in pieces always goes the ordinary way."""
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        token = self.key.secret if secret is None else secret
        return await asked(self.app, [(b"authorization", f"Bearer {token}".encode())] if token else [], body, pieces)

    async def write(self, method: str, path: str, body: Any, status: int = 200) -> Any:
        """A call of the control plane."""
        headers = {"Authorization": f"Bearer {self.key.secret}"}
        noun, _, rest = path.partition("/")
        address = f"/v2/{noun}/{self.key.project_id}/{self.key.environment_id}/{rest}"
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://local", headers=headers
        ) as client:
            return answer(await client.request(method, address, json=body), status)

    async def give(self) -> None:
        """Let ann read."""
        await self.write("POST", "facts/role_assignments", READER)

    async def take(self) -> None:
        """Let her read no more."""
        await self.write("DELETE", "facts/role_assignments", READER, 204)


async def asked(app: FastAPI, headers: Sequence[tuple[bytes, bytes]], body: bytes, pieces: int) -> Answered:
    """Call ``POST /allowed`` as a server does, with the body in so many messages."""
    size = -(-len(body) // pieces) or 1
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/allowed", "query_string": b"", "headers": headers}
    await app({**scope, "root_path": "", "http_version": "1.1", "scheme": "http"}, receive, send)
    start, *rest = sent
    kind = dict(start["headers"])[b"content-type"].decode()
    return Answered(start["status"], kind, b"".join(message["body"] for message in rest))


@pytest.fixture
async def point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Point]:
    database = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'local.db'}")
    await open_store(database)
    key = await database.write(lambda connection: begin(Opened(connection, utc_now())))
    assert key is not None
    made = Point(database, key)
    await made.write("POST", "schema/resources", RESOURCE)
    await made.write("POST", "facts/users", {"key": "ann"})
    await made.give()
    monkeypatch.setattr(database, "read", made.read)
    monkeypatch.setattr(database, "reading", made.reading)
    yield made
    await made.app.close()
    await database.close()


@pytest.fixture
async def other(point: Point) -> AsyncIterator[Point]:
    """Another decision point over the same database, as in another process: they share nothing in memory."""
    database = Database.open(f"sqlite+aiosqlite:///{point.database.location}")
    made = Point(database, point.key)
    yield made
    await made.app.close()
    await database.close()


async def test_what_is_at_hand_is_answered_without_a_trip_to_the_database(point: Point, other: Point) -> None:
    assert (await point.ask()).allow
    before = point.reads
    for _ in range(3):
        assert (await point.ask()).allow
    await other.take()
    assert not (await point.ask()).allow
    assert point.reads == before


async def test_what_others_wrote_is_patched_in_and_the_facts_are_not_read_again(
    point: Point, other: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await point.ask()).allow
    before, whole = point.reads, 0
    stored = FactStore.stored

    async def counted(*arguments: Any) -> Any:
        nonlocal whole
        whole += 1
        return await stored(*arguments)

    monkeypatch.setattr(FactStore, "stored", counted)
    await other.write("DELETE", "facts/users/ann", None, 204)
    assert not (await point.ask()).allow
    assert point.reads == before  # one state further: read on the event loop itself
    await other.write("POST", "facts/users", {"key": "ann"})
    for _ in range(5):
        await other.give()
        await other.take()
    await other.give()
    assert (await point.ask()).allow
    assert point.reads == before + 1
    await other.write("PATCH", "facts/tenants/default", {"attributes": {"a": 1}})
    assert (await point.ask()).allow
    await other.write("POST", "schema/roles", {"key": "more", "name": "More"})
    assert (await point.ask()).allow
    assert whole == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whoever_writes_what_the_next_check_knows_it(point: Point, other: Point, seed: int) -> None:
    chance, given = Random(seed), True
    for _ in range(40):
        writer, asker = chance.choice((point, other)), chance.choice((point, other))
        if given and chance.random() < 0.7:
            await writer.take()
            given = False
        elif not given and chance.random() < 0.7:
            await writer.give()
            given = True
        else:
            await writer.write("PATCH", "facts/users/ann", {"first_name": chance.choice(("Ann", "Anna"))})
        assert (await asker.ask()).allow is given
        assert (await asker.ask()).allow is given


async def test_what_is_not_committed_is_not_known_and_keeps_nobody_waiting(point: Point, other: Point) -> None:
    assert (await point.ask()).allow
    before = point.reads
    async with other.database.transaction() as transaction:
        await transaction.execute(delete(api_keys))
        assert (await point.ask()).allow
        assert point.reads == before
    assert (await point.ask()).status == 403


@pytest.mark.parametrize(
    "change",
    [
        delete(api_keys),
        update(api_keys).values(access_level="no_access"),
        update(api_keys).values(digest="0" * 64),
        update(api_keys).values(environment_id=None),
    ],
)
async def test_a_key_that_is_taken_away_is_refused_by_the_next_check(point: Point, other: Point, change: Any) -> None:
    for _ in range(2):
        assert (await point.ask()).allow
    await other.database.write(lambda connection: connection.execute(change))
    for _ in range(2):
        refused = await point.ask()
        assert (refused.status, refused.body) == (403, b"Invalid API key")


async def test_a_key_opens_its_own_environment_and_no_other(point: Point) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(point.app), base_url="http://local") as client:
        organization = await point.database.write(
            lambda connection: issue(Opened(connection, utc_now()), "organization")
        )
        client.headers["Authorization"] = f"Bearer {organization.secret}"
        body = {"key": "other", "name": "Other"}
        made = answer(await client.post(f"/v2/projects/{point.key.project_id}/envs", json=body))
        found = answer(await client.get(f"/v2/api-key/{point.key.project_id}/{made['id']}"))
    for _ in range(2):
        assert (await point.ask()).allow
        refused = await point.ask(secret=found["secret"])
        assert json.loads(refused.body)["debug"]["code"] == "no_such_resource"
        assert (await point.ask(secret=organization.secret)).status == 403


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        {**QUESTION, "action": "fly"},
        {**QUESTION, "resource": {"type": "doc"}, "context": {"name": "Zoë"}},
        {**QUESTION, "user": {"key": "ann", "attributes": {"age": 7}, "more": 1}},
        {**QUESTION, "user": {"key": "Zoë\x00"}},
        {**QUESTION, "user": "ann"},
        {**QUESTION, "context": []},
        {"action": "read"},
        b'{"user": {"key": "\\ud800"}, "action": "read", "resource": {"type": "doc"}}',
        b'{"user": {"key": "ann"}, "action": "read", "resource": {"type": "doc"}, "context": {"a": NaN}}',
        b'{"user": ',
        b"[]",
        b"\xff",
        b"",
    ],
)
async def test_both_ways_answer_the_same(point: Point, question: Any) -> None:
    ordinary = await point.ask(question, pieces=2)
    before = point.reads
    found = await point.ask(question)
    if found.status == 200:
        assert point.reads == before
    assert found.status in {200, 422}
    assert (found.status, found.kind) == (ordinary.status, ordinary.kind)
    assert found.body == ordinary.body


@pytest.mark.parametrize("pieces", [1, 2])
async def test_who_has_no_key_is_refused(point: Point, pieces: int) -> None:
    assert (await point.ask()).allow
    missing = await point.ask(secret="", pieces=pieces)
    assert (missing.status, missing.body) == (401, b"Missing Authorization header")
    secret = point.key.secret
    for wrong in (secret[:-1], secret + "x", "permit_key_", "ä", secret[:23] + secret[24:] + "x", secret.upper()):
        refused = await point.ask(secret=wrong, pieces=pieces)
        assert (refused.status, refused.body) == (403, b"Invalid API key"), wrong


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_body_that_is_too_large_is_refused(point: Point, pieces: int) -> None:
    assert (await point.ask(b" " * (MAX_BODY_BYTES + 1), pieces=pieces)).status == 413


async def test_checks_are_answered_again_after_the_database_was_closed(point: Point) -> None:
    assert (await point.ask()).allow
    await point.database.close()
    assert (await point.ask()).allow
    before = point.reads
    assert (await point.ask()).allow
    assert point.reads == before

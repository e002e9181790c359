"""Logging in, and everything that is not a way in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from jose import jwt
from sqlalchemy import delete
from websockets.exceptions import InvalidStatus

from family_food.chat.body_limit import MAX_BODY_BYTES
from family_food.login import passwords
from family_food.login.signing_key import signing_key
from family_food.login.tokens import AUDIENCE, ISSUER
from family_food.tables import accounts
from tests.server.conftest import StartServer
from tests.support.chat_server import ChatServer
from tests.support.scripted_model import ScriptedModel, says


@pytest.fixture
async def server(start: StartServer) -> ChatServer:
    return await start(ScriptedModel(says("Hello.")))


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "henry", "iat": now, "exp": now + 60, "jti": "1", "auth_time": now,
    }  # fmt: skip
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def unsigned(payload: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}."


FORGED: dict[str, Callable[[str], str]] = {
    "missing": lambda key: "",
    "nonsense": lambda key: "nonsense",
    "endless": lambda key: "a" * 6000,
    "of another key": lambda key: jwt.encode(claims(), "x" * 48, "HS256"),
    "expired": lambda key: jwt.encode(claims(exp=int(time.time()) - 1), key, "HS256"),
    "for another audience": lambda key: jwt.encode(claims(aud="another"), key, "HS256"),
    "for several audiences, not ours": lambda key: jwt.encode(claims(aud=["a", "b"]), key, "HS256"),
    "of another issuer": lambda key: jwt.encode(claims(iss="another"), key, "HS256"),
    "unsigned": lambda key: unsigned(claims()),
    "signed with another algorithm": lambda key: jwt.encode(claims(), key, "HS512"),
    "without audience": lambda key: jwt.encode(claims(aud=None), key, "HS256"),
    "without expiry": lambda key: jwt.encode(claims(exp=None), key, "HS256"),
    "without id": lambda key: jwt.encode(claims(jti=None), key, "HS256"),
    "without log-in time": lambda key: jwt.encode(claims(auth_time=None), key, "HS256"),
    "of nobody": lambda key: jwt.encode(claims(sub="nobody"), key, "HS256"),
    "of a user key instead of a name": lambda key: jwt.encode(claims(sub="3"), key, "HS256"),
}


async def test_a_password_buys_a_token_that_opens_the_chat(server: ChatServer) -> None:
    response = await server.log_in("henry")
    assert response.status_code == 200
    body = response.json()
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == server.backend.settings.access_token_expire_minutes * 60
    async with server.chat("henry", body["access_token"]) as henry:
        assert henry.hello["user"]["name"] == "Henry"
    (event,) = await server.events("login.succeeded")
    assert (event["actor"], event["address"]) == ("3", "127.0.0.1")
    assert body["access_token"] not in str(event)


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("henry", "wrong"),
        ("nobody", "henry_password"),
        ("henry", "henry_password" + "x" * 100),
        ("HENRY", "henry_password"),
        ("hen\x00ry", "henry_password"),
        ("henry", "\ud800".encode("utf-8", "surrogatepass")),
        ("h" * 5000, "henry_password"),
    ],
)
async def test_every_wrong_log_in_gets_the_same_answer(server: ChatServer, username: str, password: Any) -> None:
    response = await server.log_in(username, password)
    assert response.status_code == 401
    assert response.json() == {"detail": "Incorrect username or password"}
    assert response.headers["WWW-Authenticate"] == "Bearer"
    (event,) = await server.events("login.failed")
    assert event["actor"] == "unknown"
    assert "password" not in str(event)


async def test_while_too_many_wait_for_a_check_the_next_is_told_when_to_come_back(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crowd:
        crowd.setattr(passwords, "MAX_WAITING", 0)
        response = await server.log_in("henry")
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert (await server.log_in("henry")).status_code == 200


async def test_too_many_attempts_are_told_when_to_come_back(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), login_attempts_per_minute=2)
    for _ in range(2):
        assert (await server.log_in("rose", "wrong")).status_code == 401
    response = await server.log_in("rose")
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert "Too many" in response.json()["detail"]
    assert (await server.log_in("henry")).status_code == 200, "another name from the same address is another matter"
    (event,) = await server.events("login.limited")
    assert event["username"] == "rose"


async def test_an_address_that_tries_many_names_is_stopped_too(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), login_attempts_per_minute=1)
    answers = [(await server.log_in(f"name-{number}", "wrong")).status_code for number in range(4)]
    assert answers == [401, 401, 401, 429]


async def test_a_form_without_a_password_is_refused(server: ChatServer) -> None:
    assert (await server.post("/token", data={"username": "henry"})).status_code == 422


async def test_a_body_larger_than_any_log_in_is_refused(server: ChatServer) -> None:
    response = await server.post("/token", content=b"username=henry&password=" + b"x" * MAX_BODY_BYTES)
    assert response.status_code == 413


async def test_a_token_can_be_refreshed_while_it_is_good(server: ChatServer) -> None:
    token = (await server.log_in("henry")).json()["access_token"]
    response = await server.post("/token/refresh", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    refreshed = response.json()
    assert refreshed["access_token"] != token
    assert server.backend.tokens.verify(refreshed["access_token"]).username == "henry"
    assert len(await server.events("login.refreshed")) == 1


async def test_a_refreshed_token_does_not_outlive_the_day(server: ChatServer) -> None:
    long_ago = int(time.time()) - 24 * 3600
    key = signing_key(server.backend.settings)
    token = jwt.encode(claims(auth_time=long_ago), key, "HS256")
    response = await server.post("/token/refresh", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401


@pytest.mark.parametrize("kind", FORGED)
async def test_a_token_that_is_not_ours_opens_nothing(server: ChatServer, kind: str) -> None:
    token = FORGED[kind](signing_key(server.backend.settings))
    with pytest.raises(InvalidStatus) as caught:
        async with server.socket(token):
            pass
    assert caught.value.response.status_code == 403
    response = await server.post("/token/refresh", headers={"Authorization": f"Bearer {token or '?'}"})
    assert response.status_code == 401
    assert server.manager.active_connections == {}


async def test_the_token_of_a_removed_account_is_worth_nothing(server: ChatServer) -> None:
    token = server.token("henry")
    async with server.backend.core.database.transaction() as transaction:
        await transaction.execute(delete(accounts).where(accounts.c.username == "henry"))
    with pytest.raises(InvalidStatus):
        async with server.socket(token):
            pass


async def test_a_web_page_of_another_site_cannot_open_the_chat(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), allowed_origins="https://food.example")
    token = server.token("henry")
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "file://", "https://food.example.evil.org"):
        with pytest.raises(InvalidStatus) as caught:
            async with server.socket(token, Origin=origin):
                pass
        assert caught.value.response.status_code == 403
    for origin in (server.url, "https://food.example"):
        async with server.chat("henry", Origin=origin):
            pass


async def test_the_server_says_that_it_is_there_and_ready(server: ChatServer) -> None:
    import httpx

    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).status_code == 200
        await server.backend.notices.stop()
        assert (await client.get("/readyz")).status_code == 503


async def test_an_unexpected_error_is_told_by_number_only(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(username: str) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(server.backend.accounts, "find", broken)
    response = await server.log_in("henry")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "incident" in response.text

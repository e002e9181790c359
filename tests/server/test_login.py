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
from family_food.login.accounts import PRODUCT
from family_food.login.signing_key import signing_key
from permit_core.accounts import passwords
from permit_core.accounts.accounts import Accounts
from permit_core.stores.tables import local_accounts
from tests.server.conftest import StartServer
from tests.support.chat_server import ChatServer
from tests.support.core import SYSTEM
from tests.support.scripted_model import ScriptedModel, says


@pytest.fixture
async def server(start: StartServer) -> ChatServer:
    return await start(ScriptedModel(says("Hello.")))


def claims(epoch: str, /, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": PRODUCT, "aud": PRODUCT, "env": "default", "epoch": epoch, "sub": "henry", "iat": now, "exp": now + 60, "jti": "1", "auth_time": now,
    }  # fmt: skip
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def unsigned(payload: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}."


FORGED: dict[str, Callable[[str, str], str]] = {
    "missing": lambda key, epoch: "",
    "nonsense": lambda key, epoch: "nonsense",
    "endless": lambda key, epoch: "a" * 6000,
    "of another key": lambda key, epoch: jwt.encode(claims(epoch), "x" * 48, "HS256"),
    "expired": lambda key, epoch: jwt.encode(claims(epoch, exp=int(time.time()) - 1), key, "HS256"),
    "for another audience": lambda key, epoch: jwt.encode(claims(epoch, aud="another"), key, "HS256"),
    "for several audiences, not ours": lambda key, epoch: jwt.encode(claims(epoch, aud=["a", "b"]), key, "HS256"),
    "of another issuer": lambda key, epoch: jwt.encode(claims(epoch, iss="another"), key, "HS256"),
    "unsigned": lambda key, epoch: unsigned(claims(epoch)),
    "signed with another algorithm": lambda key, epoch: jwt.encode(claims(epoch), key, "HS512"),
    "without audience": lambda key, epoch: jwt.encode(claims(epoch, aud=None), key, "HS256"),
    "without expiry": lambda key, epoch: jwt.encode(claims(epoch, exp=None), key, "HS256"),
    "without id": lambda key, epoch: jwt.encode(claims(epoch, jti=None), key, "HS256"),
    "without log-in time": lambda key, epoch: jwt.encode(claims(epoch, auth_time=None), key, "HS256"),
    "of nobody": lambda key, epoch: jwt.encode(claims(epoch, sub="nobody"), key, "HS256"),
    "of a user key instead of a name": lambda key, epoch: jwt.encode(claims(epoch, sub="3"), key, "HS256"),
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
    assert server.backend.tokens.verify(refreshed["access_token"]).login == "henry"
    assert len(await server.events("login.refreshed")) == 1


async def test_a_refreshed_token_does_not_outlive_the_day(server: ChatServer) -> None:
    long_ago = int(time.time()) - 24 * 3600
    key = signing_key(server.backend.settings)
    token = jwt.encode(claims(server.epochs["henry"], auth_time=long_ago), key, "HS256")
    response = await server.post("/token/refresh", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401


@pytest.mark.parametrize("kind", FORGED)
async def test_a_token_that_is_not_ours_opens_nothing(server: ChatServer, kind: str) -> None:
    token = FORGED[kind](signing_key(server.backend.settings), server.epochs["henry"])
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
        await transaction.execute(delete(local_accounts).where(local_accounts.c.login == "henry"))
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
    async def broken(username: str, password: str) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(server.backend.accounts, "log_in", broken)
    response = await server.log_in("henry")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "incident" in response.text


def accounts_of(server: ChatServer) -> Accounts:
    """The accounts as another program has them, such as the command line."""
    core = server.backend.core
    return Accounts(core.database, core.audit)


async def test_a_closed_account_ends_at_the_next_request_of_whoever_is_logged_in(server: ChatServer) -> None:
    token = (await server.log_in("henry")).json()["access_token"]
    async with server.chat("henry", token) as henry, server.chat("rose") as rose:
        await accounts_of(server).close(SYSTEM, "henry")
        await henry.say("Hello?")
        assert (await henry.next("error"))["code"] == "invalid_token"
        assert await henry.closed() == 1008
        assert (await rose.ask("Hello?")).outcome == "completed"
    with pytest.raises(InvalidStatus):
        async with server.socket(token):
            pass
    refused = await server.post("/token/refresh", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 401
    assert (await server.log_in("henry")).status_code == 401


async def test_another_password_ends_the_other_tokens_and_a_new_one_goes_on(server: ChatServer) -> None:
    token = (await server.log_in("henry")).json()["access_token"]
    async with server.chat("henry", token) as henry:
        await accounts_of(server).change_password(SYSTEM, "henry", "another_password")
        new = (await server.log_in("henry", "another_password")).json()["access_token"]
        await henry.send(type="authenticate", token=token)
        assert (await henry.next("error"))["code"] == "invalid_token"
        await henry.send(type="authenticate", token=new)
        await henry.next("token_refreshed")
        assert (await henry.ask("Hello?")).outcome == "completed"
    with pytest.raises(InvalidStatus):
        async with server.socket(token):
            pass

"""The HTTP calls: what they bring, and the sentence a person gets when they bring nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from family_food.terminal.connection.web import Grant, Web, log_in, unreachable
from family_food.terminal.problem import ChatProblem, Exit
from tests.support.fake_backend import FakeBackend
from tests.support.tokens import token_of


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    with FakeBackend().running() as fake:
        fake.conversations = {"s-1": {"title": "Pizza", "turns": 2}, "s-2": {"title": "Sushi"}}
        yield fake


@pytest.fixture
def web(backend: FakeBackend) -> Web:
    return Web(backend.url, "first-token")


async def test_a_log_in_brings_a_token_and_its_life(backend: FakeBackend) -> None:
    grant = await log_in(backend.url, "henry", "right")
    assert (grant.token, grant.lifetime) == ("first-token", 1800.0)
    assert 1700 < grant.left <= 1800


async def test_a_renewed_token_takes_the_place_of_the_old_one_and_is_told(backend: FakeBackend) -> None:
    told: list[Grant] = []

    async def keep(grant: Grant) -> None:
        told.append(grant)

    web = Web(backend.url, "first-token", keep)
    await web.refresh()
    assert web.token == "second-token"
    assert [grant.token for grant in told] == ["second-token"]


async def test_conversations_are_listed_read_renamed_exported_and_deleted(web: Web, backend: FakeBackend) -> None:
    listed = await web.conversations(per_page=1)
    assert (listed["total"], len(listed["conversations"])) == (2, 1)
    assert (await web.conversation("s-1"))["title"] == "Pizza"
    await web.rename("s-1", "Pizza night")
    assert (await web.export("s-1")).startswith("# Pizza night")
    assert json.loads(await web.export("s-1", "json"))["title"] == "Pizza night"
    await web.delete("s-1")
    assert list(backend.conversations) == ["s-2"]


@pytest.mark.parametrize("name", ["s-9", "../token", "s-1/x", "s-1?format=x", "é\n"])
async def test_a_conversation_that_is_not_there_is_said(web: Web, name: str) -> None:
    with pytest.raises(ChatProblem) as raised:
        await web.conversation(name)
    assert raised.value.exit_code in (Exit.ERROR, Exit.UNREACHABLE)


async def test_a_token_that_is_no_good_leads_to_the_log_in(backend: FakeBackend) -> None:
    web = Web(backend.url, "old")
    assert await web.token_is_good() is False
    for call in (web.conversations(), web.refresh(), web.delete("s-1")):
        with pytest.raises(ChatProblem, match="--login") as raised:
            await call
        assert raised.value.exit_code is Exit.NOT_LOGGED_IN


@pytest.mark.parametrize("token", ["line\nbreak", "é", ""])
async def test_a_token_that_is_no_header_is_no_crash(backend: FakeBackend, token: str) -> None:
    with pytest.raises(ChatProblem):
        await Web(backend.url, token).conversations()


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (404, {"detail": "There is no such conversation.", "code": "x"}, Exit.ERROR, "There is no such conversation."),
        (404, {"detail": "Not Found"}, Exit.UNREACHABLE, "this is not the chat server"),
        (409, {"detail": "It is open in a window.", "code": "x"}, Exit.ERROR, "It is open in a window."),
        (413, {"detail": "Too large."}, Exit.ERROR, "Too large."),
        (422, {"detail": [{"loc": ["body"], "msg": "no"}]}, Exit.UNREACHABLE, "answered 422"),
        (429, {"detail": "Too many."}, Exit.NOT_LOGGED_IN, "Too many. Try again in 7 seconds."),
        (500, {"detail": "Oops, number 5."}, Exit.UNREACHABLE, "answered 500"),
        (200, "\x1b[2J no json", Exit.UNREACHABLE, "answered 200"),
        (200, ["a list"], Exit.UNREACHABLE, "answered 200"),
        (403, {"detail": "\x1b[2JNo."}, Exit.NOT_LOGGED_IN, "[2JNo."),
    ],
)
async def test_every_answer_becomes_one_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any, code: Exit, words: str
) -> None:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    async def answer(_: object, request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content, headers={"Retry-After": "7"}, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    with pytest.raises(ChatProblem) as raised:
        await Web("http://127.0.0.1:1", "t").conversation("s-1")
    assert raised.value.exit_code is code
    assert words in raised.value.sentence
    assert "\x1b" not in raised.value.sentence


async def test_a_list_of_something_else_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: object, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"conversations": ["no object", {"id": "s-1"}]}, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    assert (await Web("http://127.0.0.1:1", "t").conversations())["conversations"] == [{"id": "s-1"}]


async def test_nobody_there_is_said_with_how_to_start_the_server() -> None:
    with pytest.raises(ChatProblem, match="cannot be reached") as raised:
        await Web("http://127.0.0.1:1", "t").conversations()
    assert raised.value.exit_code is Exit.UNREACHABLE
    assert await Web("http://127.0.0.1:1", "t").token_is_good() is None
    assert "Start it with: uv run server.py" in raised.value.sentence
    assert "uv run" not in unreachable("https://chat.example", OSError()).sentence


async def test_who_is_to_log_in_again_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: object, request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"detail": "It has expired."}, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    with pytest.raises(ChatProblem, match=r"uv run client.py --url http://127.0.0.1:1 --user henry --login"):
        await Web("http://127.0.0.1:1", token_of("henry")).conversations()

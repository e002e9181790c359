"""Stored conversations over HTTP: one's own to list, read, rename and delete, and nobody else's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp import StdioServerParameters
from pydantic import SecretStr
from sqlalchemy import text

from family_food.conversations.export import export_schema
from tests.server.conftest import StartServer
from tests.support import tiny_mcp
from tests.support.chat_server import WAIT_SECONDS, ChatServer, until
from tests.support.databases import PostgresServer
from tests.support.scripted_model import ScriptedModel, says

pytestmark = pytest.mark.slow


def tiny(_user: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=[str(Path(tiny_mcp.__file__))])


UNKNOWN = "chat_" + "0" * 32


@pytest.fixture
async def server(start: StartServer) -> ChatServer:
    return await start(ScriptedModel(*[says("Hello there.")] * 20), tiny)


async def ask(server: ChatServer, method: str, path: str = "", user: str = "henry", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.token(user)}"} if user else {}
    async with httpx.AsyncClient(base_url=server.url, timeout=WAIT_SECONDS, trust_env=False) as client:
        return await client.request(method, f"/conversations{path}", headers=headers, **more)


async def talk(server: ChatServer, *messages: str, user: str = "henry") -> str:
    """A conversation that is over; its id."""
    async with server.chat(user) as chat:
        for message in messages:
            await chat.ask(message)
        session_id = str(chat.hello["session_id"])
    await until(lambda: session_id not in server.manager.active_connections, "the session's end")
    return session_id


def refused(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"detail", "code"}
    assert body["detail"].endswith(".")
    return response.status_code, body["code"]


async def test_one_s_own_conversations_are_listed_the_latest_first(server: ChatServer) -> None:
    first = await talk(server, "Any pizza?", "And sushi?")
    second = await talk(server, "Burgers?")
    await talk(server, "Mine alone.", user="rose")
    async with server.chat("henry"):  # nothing was said in it
        listed = (await ask(server, "GET")).json()
    assert [(one["id"], one["title"], one["turns"]) for one in listed["conversations"]] == [
        (second, "Burgers?", 1), (first, "Any pizza?", 2),
    ]  # fmt: skip
    assert (listed["total"], listed["page"], listed["per_page"]) == (2, 1, 20)
    page = (await ask(server, "GET", "?page=2&per_page=1")).json()
    assert [one["id"] for one in page["conversations"]] == [first]
    assert refused(await ask(server, "GET", "?page=0")) == (400, "invalid_page")
    assert refused(await ask(server, "GET", "?per_page=1000")) == (400, "invalid_page")
    assert refused(await ask(server, "GET", "?page=x")) == (400, "invalid_input")


async def test_a_conversation_is_read_whole_in_both_forms(server: ChatServer) -> None:
    chat = await talk(server, "Any pizza?")
    as_json = await ask(server, "GET", f"/{chat}")
    Draft202012Validator(export_schema()).validate(as_json.json())
    assert [entry["text"] for entry in as_json.json()["entries"]] == ["Any pizza?", "Hello there."]
    as_text = await ask(server, "GET", f"/{chat}?format=markdown")
    assert as_text.text.startswith("# Any pizza?\n")
    assert "> Hello there." in as_text.text
    for response, kind, ending in ((as_json, "application/json", "json"), (as_text, "text/markdown", "md")):
        assert response.headers["content-type"].startswith(kind)
        assert response.headers["content-disposition"].startswith('attachment; filename="conversation-20')
        assert response.headers["content-disposition"].endswith(f'-{chat[5:13]}.{ending}"')
        assert response.headers["cache-control"] == "no-store"
    assert refused(await ask(server, "GET", f"/{chat}?format=pdf")) == (400, "invalid_input")
    noted = await server.events("conversation.exported")
    assert [(one["session"], one["format"]) for one in noted] == [(chat, "json"), (chat, "markdown")]


async def test_what_is_read_can_do_nothing_to_a_terminal(start: StartServer) -> None:
    server = await start(ScriptedModel(says("bidi \u202e and \u009b C1")), tiny)
    chat = await talk(server, "Say something odd.")
    assert (await ask(server, "GET", f"/{chat}")).text.isascii()
    assert not {"\u202e", "\u009b"} & set((await ask(server, "GET", f"/{chat}?format=markdown")).text)


async def test_a_title_can_be_given_and_stays(server: ChatServer) -> None:
    chat = await talk(server, "Any pizza?")
    renamed = await ask(server, "PATCH", f"/{chat}", json={"title": "  Pizza\n night "})
    assert (renamed.status_code, renamed.json()) == (200, {"id": chat, "title": "Pizza night"})
    async with server.chat("henry", session=chat) as henry:
        assert henry.hello["title"] == "Pizza night"
        await henry.ask("More.")
    listed = (await ask(server, "GET")).json()["conversations"]
    assert [one["title"] for one in listed] == ["Pizza night"]
    (noted,) = await server.events("conversation.renamed")
    assert noted == {"actor": "3", "session": chat, "title": "Pizza night"}
    bodies: list[Any] = [{}, {"title": 7}, {"title": "x", "user": "4"}, [], None]
    for body in bodies:
        assert refused(await ask(server, "PATCH", f"/{chat}", json=body)) == (400, "invalid_input")
    for title in ("", " \u200b", "x" * 201):
        assert refused(await ask(server, "PATCH", f"/{chat}", json={"title": title})) == (400, "invalid_title")
    assert refused(await ask(server, "PATCH", f"/{chat}", content=b"{")) == (400, "invalid_input")


async def test_a_conversation_that_is_open_is_not_deleted(server: ChatServer) -> None:
    async with server.chat("henry") as henry:
        await henry.ask("Any pizza?")
        chat = henry.hello["session_id"]
        assert refused(await ask(server, "DELETE", f"/{chat}")) == (409, "conversation_open")
        assert refused(await ask(server, "DELETE", f"/{chat}", user="rose")) == (404, "no_such_conversation")
        henry.lose()  # nobody looks at it, and still it is there to come back to
        await until(lambda: server.manager.active_connections[chat].lost_at is not None, "the loss")
        assert refused(await ask(server, "DELETE", f"/{chat}")) == (409, "conversation_open")
        await henry.come_back()
        await henry.ask("Still here?")
    await until(lambda: not server.manager.active_connections, "the session's end")
    assert (await ask(server, "DELETE", f"/{chat}")).status_code == 204
    assert refused(await ask(server, "DELETE", f"/{chat}")) == (404, "no_such_conversation")
    assert (await ask(server, "GET")).json()["total"] == 0
    async with server.chat("henry", session=chat) as henry:
        assert henry.hello["session_id"] != chat
    (noted,) = await server.events("conversation.deleted")
    assert noted == {"actor": "3", "session": chat}


async def test_orders_and_the_audit_log_outlive_a_conversation(start: StartServer) -> None:
    server = await start()
    async with server.chat("henry") as henry:
        await henry.ask("order fries")
        chat = henry.hello["session_id"]
    await until(lambda: not server.manager.active_connections, "the session's end")

    async def counted(table: str) -> int:
        async with server.backend.core.database.reading() as reading:
            return int((await reading.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())

    assert await counted("orders") == 1
    before = await counted("audit_records")
    assert (await ask(server, "DELETE", f"/{chat}")).status_code == 204
    assert [await counted(table) for table in ("orders", "conversations", "turns", "conversation_entries")] == [
        1,
        0,
        0,
        0,
    ]
    assert await counted("audit_records") == before + 1
    assert (await server.backend.core.audit.verify("default")).ok


ODD = [UNKNOWN, "x", "%00", "chat_%27%20OR%201=1", "..%2f..%2ftoken", "chat_" + "A" * 32]


async def test_what_is_not_there_and_what_is_somebody_else_s_look_alike(server: ChatServer) -> None:
    theirs = await talk(server, "Mine.", user="rose")
    for which in (*ODD, theirs):
        requests: list[tuple[str, dict[str, Any]]] = [
            ("GET", {}),
            ("DELETE", {}),
            ("PATCH", {"json": {"title": "mine"}}),
        ]
        for method, more in requests:
            response = await ask(server, method, f"/{which}", **more)
            assert response.status_code == 404
            assert "rose" not in response.text.lower()
            if "%2f" not in which:
                assert refused(response) == (404, "no_such_conversation")
    assert (await ask(server, "GET", f"/{theirs}", user="rose")).json()["title"] == "Mine."


async def test_nobody_gets_in_without_a_token(server: ChatServer) -> None:
    chat = await talk(server, "Any pizza?")
    for method, path in (("GET", ""), ("GET", f"/{chat}"), ("PATCH", f"/{chat}"), ("DELETE", f"/{chat}")):
        response = await ask(server, method, path, user="")
        assert refused(response) == (401, "invalid_token")
        assert response.headers["www-authenticate"] == "Bearer"
    good = server.token("henry")
    for header in (f"Basic {good}", good, f"Bearer {good}x", "Bearer"):
        async with httpx.AsyncClient(base_url=server.url, timeout=WAIT_SECONDS, trust_env=False) as client:
            assert (await client.get("/conversations", headers={"Authorization": header})).status_code == 401
    assert (await ask(server, "GET", user="nobody")).status_code == 401


async def test_it_works_on_postgresql_too(postgres_server: PostgresServer, start: StartServer) -> None:
    database_url = SecretStr(postgres_server.new_database())
    server = await start(ScriptedModel(says("Hello there.")), tiny, database_url=database_url)
    chat = await talk(server, "Any pizza?")
    assert json.loads((await ask(server, "GET", f"/{chat}")).text)["title"] == "Any pizza?"
    assert (await ask(server, "PATCH", f"/{chat}", json={"title": "Sushi"})).status_code == 200
    assert [one["title"] for one in (await ask(server, "GET")).json()["conversations"]] == ["Sushi"]
    assert (await ask(server, "DELETE", f"/{chat}")).status_code == 204

"""Real processes: killed children, killed servers, signals, and the three ways to start the server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from websockets.asyncio.client import connect

from family_food.ordering.food import open_food
from family_food.settings import ChatSettings
from family_food.tables import orders
from permit_core.identity import Actor
from permit_core.ports.request import RequestFilter, RequestKind
from tests.server.conftest import StartServer
from tests.support.chat_server import WAIT_SECONDS, ChatClient, ChatServer, until
from tests.support.environment import PROJECT
from tests.support.process_tree import alive, started_by, tool_servers_of
from tests.support.scripted_model import ScriptedModel, calls, says

pytestmark = pytest.mark.slow

JOE = Actor("default", "default", "1", "Joe")
OPERATION = RequestKind.OPERATION_APPROVAL


@asynccontextmanager
async def started(settings: ChatSettings, *command: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A server process of its own; ``{port}`` in the command becomes a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    names = ("database_url", "policy_file", "facts_file", "accounts_file", "db_name")
    environment = {**os.environ, "MODEL": "demo", "SECRET_KEY": ""}
    for name in names:
        value = getattr(settings, name)
        environment[name.upper()] = value if isinstance(value, str) else value.get_secret_value()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *(word.format(port=port) for word in command), cwd=PROJECT, env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as client:

            async def ready() -> bool:
                assert process.returncode is None, "the server ended at its start"
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready, "the server's start")
        yield process, port
    finally:
        with suppress(ProcessLookupError):  # dead, and nobody has been told yet
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def chatting(port: int, username: str, session: str = "") -> AsyncIterator[ChatClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as client:
        form = {"username": username, "password": f"{username}_password"}
        token = (await client.post(f"http://127.0.0.1:{port}/token", data=form)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    going_on = f"?session={session}" if session else ""
    async with connect(
        f"ws://127.0.0.1:{port}/ws/chat{going_on}", additional_headers=headers, proxy=None, open_timeout=WAIT_SECONDS
    ) as opened:
        client_side = ChatClient(opened)
        client_side.hello = await client_side.next("hello")
        yield client_side


async def placed(settings: ChatSettings) -> list[str]:
    food = await open_food(settings)
    try:
        async with food.core.database.reading() as reading:
            return list((await reading.execute(select(orders.c.dish_key))).scalars())
    finally:
        await food.close()


async def approve_what_waits(settings: ChatSettings) -> None:
    """Joe approves every open request, in a process that is not the server's."""
    food = await open_food(settings)
    try:
        for request in (await food.core.approvals.list(JOE, OPERATION, RequestFilter())).items:
            await food.core.approvals.approve(JOE, OPERATION, request.id)
    finally:
        await food.close()


async def test_a_killed_child_is_replaced_and_the_turn_says_so(start: StartServer) -> None:
    server: ChatServer = await start(ScriptedModel(calls(("list_orders", {})), says("None.")))
    server.backend.model._scripts.extendleft([says("Hello.")])  # type: ignore[attr-defined]
    async with server.chat("henry") as henry:
        assert (await henry.ask("hi")).outcome == "completed"
        (child,) = server.children()
        os.kill(child, signal.SIGKILL)
        turn = await henry.ask("my orders?")
        assert turn.outcome == "completed"
        assert turn.codes == [None]
        assert any("started again" in frame["content"] for frame in turn.of("status"))
        (replacement,) = server.children()
        assert replacement != child
    await until(lambda: server.children() == [], "the end of every child")


async def test_a_server_killed_between_approval_and_order_orders_once_after_its_restart(settings: ChatSettings) -> None:
    command = ("server.py", "--port", "{port}")
    async with started(settings, *command) as (process, port), chatting(port, "henry") as henry:
        session = henry.hello["session_id"]
        asked = await henry.ask("I want the pepperoni pizza at Pizza Palace because it is my birthday")
        if not asked.called("create_operation_approval"):
            asked = await henry.ask("yes, because it is my birthday")
        assert asked.called("create_operation_approval"), asked.text
        left = started_by(process.pid)
        process.kill()
        await process.wait()
        await until(lambda: not any(alive(pid) for pid in left), "the end of the orphans")
    await approve_what_waits(settings)
    assert await placed(settings) == []
    async with started(settings, *command) as (_, port), chatting(port, "henry", session) as henry:
        assert (await henry.next("notice"))["request"]["status"] == "approved"
        carried_on = await henry.turn()
        assert carried_on.called("order_dish"), carried_on.text
        again = await henry.ask("order another pepperoni pizza at Pizza Palace")
        assert None not in [
            f["code"] for f in again.of("tool") if f["name"] == "order_dish" and f["state"] != "started"
        ]
    assert await placed(settings) == ["1-pepperoni-pizza"]


@pytest.mark.parametrize(
    "command",
    [
        ("server.py", "--port", "{port}"),
        ("-m", "uvicorn", "server:app", "--port", "{port}"),
        ("-m", "fastapi", "dev", "server.py", "--no-reload", "--port", "{port}"),
    ],
    ids=["server.py", "uvicorn", "fastapi dev"],
)
async def test_a_terminated_server_says_goodbye_and_leaves_nothing(
    settings: ChatSettings, command: tuple[str, ...]
) -> None:
    async with started(settings, *command) as (process, port), chatting(port, "henry") as henry:
        await until(lambda: bool(tool_servers_of(process.pid)), "the child's start")
        left = started_by(process.pid)
        process.send_signal(signal.SIGTERM)
        goodbye = await henry.next("goodbye")
        assert goodbye["code"] == 1001
        assert await henry.closed() == 1001
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()
        assert not any(alive(pid) for pid in left)


async def test_nothing_is_opened_at_import(tmp_path: Path) -> None:
    code = "import sys, server, json; print(json.dumps([str(server.app.title), 'google.genai' in sys.modules]))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=PROJECT, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "DB_NAME": str(tmp_path / "never.db")},
    )  # fmt: skip
    out, _ = await process.communicate()
    answer: list[Any] = json.loads(out)
    assert answer == ["Family food chat", False]
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_cannot_start_says_why_in_one_sentence(settings: ChatSettings) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "server.py", "--port", "0", cwd=PROJECT, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SECRET_KEY": "secret", "DATABASE_URL": settings.resolved_database_url},
    )  # fmt: skip
    _, err = await process.communicate()
    assert process.returncode != 0
    assert "SECRET_KEY is too short" in err.decode()
    assert "Traceback" not in err.decode()

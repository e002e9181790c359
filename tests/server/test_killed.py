"""A server that is killed without warning loses no completed step, and what it was doing can be continued."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from family_food.settings import ChatSettings
from tests.server.test_processes import started
from tests.support.chat_server import WAIT_SECONDS, ChatClient, until
from utils import create_access_token

pytestmark = pytest.mark.slow

COMMAND = ("-m", "tests.support.patient_server", "{port}")


@asynccontextmanager
async def window(
    settings: ChatSettings, port: int, session: str = "", after: int | None = None
) -> AsyncIterator[ChatClient]:
    """A window with a token of this database's key."""
    ((epoch,),) = rows(settings, "SELECT epoch FROM local_accounts WHERE login = 'henry'")
    token = create_access_token({"sub": "henry", "epoch": epoch}, settings=settings)
    query = f"?session={session}" + (f"&after={after}" if after is not None else "") if session else ""
    async with connect(
        f"ws://127.0.0.1:{port}/ws/chat{query}",
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
        open_timeout=WAIT_SECONDS,
    ) as socket:
        client = ChatClient(socket)
        await client.greeted()
        yield client


def rows(settings: ChatSettings, statement: str) -> list[Any]:
    with closing(sqlite3.connect(settings.db_name, timeout=10)) as connection:
        return connection.execute(statement).fetchall()


def kinds(settings: ChatSettings) -> list[str]:
    return [kind for (kind,) in rows(settings, "SELECT body ->> 'kind' FROM conversation_entries ORDER BY seq")]


async def test_killed_between_a_call_and_its_result(settings: ChatSettings) -> None:
    async with started(settings, *COMMAND) as (process, port), window(settings, port) as henry:
        session = henry.hello["session_id"]
        await henry.say("wait 600", id="m-1")
        while (await henry.next("tool"))["state"] != "started":
            pass
        assert kinds(settings) == ["user", "model"], "the step is written before its calls are made"
        process.kill()
        await process.wait()
        assert await henry.closed() in (1005, 1006)
    assert rows(settings, "SELECT outcome FROM turns") == [("running",)]
    async with started(settings, *COMMAND) as (_, port), window(settings, port, session, henry.last) as henry:
        assert henry.hello["interrupted"] == {"turn": 1, "said": "wait 600"}
        assert (henry.hello["resumed"], henry.hello["turn"], henry.hello["newest"]) == (True, None, 0)
        assert kinds(settings) == ["user", "model", "results"]
        await henry.say("wait 600", id="m-1")
        assert (await henry.next("accepted"))["duplicate"], "what has begun is not begun again"
        await henry.send(type="continue")
        turn = await henry.turn()
        assert (turn.text, turn.frames[0]["cause"]) == ("I go on.", "continue")
    assert rows(settings, "SELECT outcome FROM turns ORDER BY number") == [("interrupted",), ("completed",)]


async def test_killed_between_turns_and_with_messages_that_wait(settings: ChatSettings) -> None:
    async with started(settings, *COMMAND) as (process, port), window(settings, port) as henry:
        session = henry.hello["session_id"]
        await henry.say("hi", id="m-1")
        assert (await henry.turn()).outcome == "completed"
        process.kill()
        await process.wait()
    async with started(settings, *COMMAND) as (process, port), window(settings, port, session, henry.last) as henry:
        assert henry.hello["interrupted"] is None
        assert henry.hello["title"] == "hi"
        await henry.say("wait 600", id="m-2")
        await henry.next("tool")
        await henry.say("still waiting", id="m-3")
        assert not (await henry.next("accepted"))["duplicate"]
        process.kill()
        await process.wait()
    async with started(settings, *COMMAND) as (_, port), window(settings, port, session, henry.last) as henry:
        await henry.say("still waiting", id="m-3")
        turn = await henry.turn()
        assert turn.text == "Heard: still waiting", "what had not begun is taken when it is sent again"
    assert rows(settings, "SELECT message_id FROM turns ORDER BY number") == [("m-1",), ("m-2",), ("m-3",)]


@pytest.mark.timeout(300)  # it starts many servers
async def test_killed_again_and_again_each_message_has_one_turn(settings: ChatSettings) -> None:
    chance = random.Random(3)
    wanted = [f"m-{number}" for number in range(9)]
    done: set[str] = set()
    session, lives = "", 0
    while len(done) < len(wanted):
        lives += 1
        async with AsyncExitStack() as stack:
            process, port = await stack.enter_async_context(started(settings, *COMMAND))
            henry = await stack.enter_async_context(window(settings, port, session))
            session = henry.hello["session_id"]
            killing = asyncio.get_running_loop().call_later(chance.uniform(0.01, 0.4), process.kill)
            if lives > 3:
                killing.cancel()
            try:
                for message_id in wanted:
                    if message_id not in done:
                        await henry.say("wait 0.05", id=message_id)
                        await answered(henry, message_id)
                        done.add(message_id)
            except (ConnectionClosed, WebSocketException):
                pass
            killing.cancel()
    turns = rows(settings, "SELECT message_id, outcome FROM turns ORDER BY number")
    assert [message_id for message_id, _ in turns] == wanted
    assert {outcome for _, outcome in turns} <= {"completed", "interrupted"}
    assert lives > 1


async def answered(henry: ChatClient, message_id: str) -> None:
    """Wait until the message's turn is over, here or in a life before this one."""
    while True:
        frame = await henry.next("accepted", "turn_end")
        if frame["type"] == "turn_end" or (frame["duplicate"] and henry.hello["turn"] is None):
            return


async def test_a_server_that_is_told_to_end_marks_what_it_was_doing(settings: ChatSettings) -> None:
    async with started(settings, *COMMAND) as (process, port), window(settings, port) as henry:
        session = henry.hello["session_id"]
        await henry.say("wait 600", id="m-1")
        await henry.next("tool")
        process.terminate()
        assert (await henry.next("goodbye"))["code"] == 1001
        assert await henry.closed() == 1001
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()
    assert rows(settings, "SELECT outcome FROM turns") == [("interrupted",)]
    await until(lambda: kinds(settings) == ["user", "model", "results"], "the record")
    async with started(settings, *COMMAND) as (_, port), window(settings, port, session, henry.last) as henry:
        assert henry.hello["interrupted"] == {"turn": 1, "said": "wait 600"}

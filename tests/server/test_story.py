"""What the chat is for, over real sockets and real children."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection

from family_food.tables import orders
from tests.support.chat_server import WAIT_SECONDS, ChatServer, until

pytestmark = pytest.mark.slow


async def placed(server: ChatServer) -> list[str]:
    """The keys of the dishes that were ordered."""
    async with server.backend.core.database.reading() as reading:
        return list((await reading.execute(select(orders.c.dish_key))).scalars())


async def test_a_child_orders_a_dish_it_may_order(server: ChatServer) -> None:
    async with server.chat("henry") as henry:
        assert henry.hello["user"] == {"name": "Henry", "role": "child"}
        assert henry.hello["model"]["offline"]
        turn = await henry.ask("Order a cheese pizza at Pizza Palace, please")
        assert turn.outcome == "completed", turn.frames
    assert await placed(server) == ["1-cheese-pizza"]


async def test_a_dear_dish_is_asked_for_approved_and_ordered_exactly_once(server: ChatServer) -> None:
    async with server.chat("henry") as henry, server.chat("joe") as joe:
        turn = await henry.ask("I want the pepperoni pizza from Pizza Palace because it is my birthday")
        if not turn.called("create_operation_approval"):
            turn = await henry.ask("yes, because it is my birthday")
        assert await placed(server) == []
        notice = await joe.next("notice")
        assert notice["event"] == "request_created"
        await joe.say("approve henry's pepperoni pizza")
        question = await joe.next("confirm")
        assert "Henry" in question["content"]
        assert "10.99" in question["content"]
        await joe.send(type="confirm", confirm_id=question["confirm_id"], answer=True)
        decided = await joe.turn()
        assert decided.outcome == "completed"
        told = await henry.next("notice")
        assert told["event"] == "request_decided"
        carried_on = await henry.turn()
        assert carried_on.frames[-1]["outcome"] == "completed"
    assert await placed(server) == ["1-pepperoni-pizza"]
    assert [event["outcome"] for event in await server.events("decision.confirmed")] == ["confirmed"]


async def test_a_client_written_from_the_guide_alone_logs_in_orders_and_decides(server: ChatServer) -> None:
    """Only ``{message, history}`` goes out; only ``text``, ``status``, ``history_update`` and ``error`` are understood."""

    class GuideClient:
        def __init__(self, socket: ClientConnection) -> None:
            self.socket = socket
            self.history: list[Any] = []

        async def answer(self, message: str) -> str:
            """Everything the assistant says until the input unlocks, or until it asks for a plain yes or no."""
            await self.socket.send(json.dumps({"message": message, "history": self.history}))
            said: str = ""
            while True:
                async with asyncio.timeout(WAIT_SECONDS):
                    frame = json.loads(await self.socket.recv())
                if frame["type"] == "text":
                    said += str(frame["content"])
                    if 'Answer "yes" or "no"' in said:
                        return said
                elif frame["type"] == "history_update":
                    self.history = frame["content"]
                    return said
                elif frame["type"] == "error":
                    return f"error: {frame['content']}"

    async def token(username: str) -> str:
        return str((await server.log_in(username)).json()["access_token"])

    async with server.socket(await token("henry")) as child, server.socket(await token("joe")) as parent:
        henry, joe = GuideClient(child), GuideClient(parent)
        said = await henry.answer("I want the pepperoni pizza at Pizza Palace because it is my birthday")
        if not await server.events("request.created"):
            said = await henry.answer("yes, because it is my birthday")
        assert "error" not in said
        assert "10.99" in await joe.answer("approve henry's pepperoni pizza")
        await joe.answer("yes")
        await until(lambda: _placed_is(server, ["1-pepperoni-pizza"]), "the order")


async def _placed_is(server: ChatServer, dishes: list[str]) -> bool:
    return await placed(server) == dishes

"""A decision comes back to the conversation in which its request was asked: there it is acted on, and once."""

from __future__ import annotations

import asyncio

import pytest

from family_food.models.port import Prompt
from permit_core.identity import Actor
from permit_core.ports.request import RequestKind
from tests.server.conftest import StartServer
from tests.support.chat_server import ChatClient, ChatServer, until
from tests.support.scripted_model import Line, ScriptedModel, calls, says

pytestmark = pytest.mark.slow

JOE = Actor("default", "default", "1", "Joe")
DISH = "dishes:1-pepperoni-pizza"
ASK = ("create_operation_approval", {"resource_instance": DISH, "operation": "order", "reason": "birthday"})
ORDER = ("order_dish", {"restaurant_id": "1", "dish_name": "Pepperoni Pizza"})


def eager() -> ScriptedModel:
    """A model that orders whenever news is the last thing it hears, and asks when it is told to."""

    def step(prompt: Prompt) -> list[Line]:
        last = prompt.entries[-1]
        if last.kind == "event":
            return calls(ORDER)
        return calls(ASK) if last.kind == "user" and last.text == "ask" else says("Well.")

    return ScriptedModel(step)


async def asked_by(henry: ChatClient) -> None:
    turn = await henry.ask("ask")
    assert turn.called("create_operation_approval")


async def test_of_two_windows_the_one_that_asked_goes_on_and_the_other_only_hears(start: StartServer) -> None:
    server = await start(eager())
    approvals = server.backend.core.approvals
    async with server.chat("henry") as one, server.chat("henry") as two:
        await two.ask("hello")
        await asked_by(one)
        request = await pending(server)
        await approvals.approve(JOE, RequestKind.OPERATION_APPROVAL, request)
        assert (await two.next("notice"))["request"]["id"] == request
        turn = await one.turn()
        assert turn.of("turn_start")[0]["cause"] == "event"
        assert turn.called("order_dish")
        said = await two.ask("and now?")
        assert said.of("turn_start")[0]["cause"] == "message"
        assert not said.called("order_dish")
    assert len(await server.events("order.placed")) == 1


async def test_what_was_decided_while_away_is_told_anywhere_and_acted_on_where_it_was_asked(start: StartServer) -> None:
    model = eager()
    server = await start(model)
    async with server.chat("henry") as first:
        await asked_by(first)
        asking = str(first.hello["session_id"])
    await until(lambda: not server.manager.active_connections, "the end of the session")
    request = await pending(server)
    await server.backend.core.approvals.approve(JOE, RequestKind.OPERATION_APPROVAL, request)

    async with server.chat("henry") as other:
        assert (await other.next("notice"))["request"]["id"] == request
        said = await other.ask("hello")
        assert said.of("turn_start")[0]["cause"] == "message"
    heard = [entry for entry in model.prompts[-1].entries if entry.kind == "event"]
    assert [entry.data["asked_here"] for entry in heard] == [False]
    assert await server.events("order.placed") == []

    async with server.chat("henry", session=asking) as again:
        assert (await again.next("notice"))["request"]["id"] == request
        turn = await again.turn()
        assert turn.of("turn_start")[0]["cause"] == "event"
        assert turn.called("order_dish")
    assert len(await server.events("order.placed")) == 1
    async with server.chat("henry", session=asking) as later:
        await later.ask("hello")
        assert [frame for frame in later.seen if frame["type"] == "notice"] == []


async def test_leaving_in_the_middle_of_news_leaves_them_to_be_taken_up(start: StartServer) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    def step(prompt: Prompt) -> list[Line]:
        last = prompt.entries[-1]
        if last.kind == "event" and not reached.is_set():
            reached.set()
            return [never]
        if last.kind == "event":
            return calls(ORDER)
        return calls(ASK) if last.kind == "user" else says("Well.")

    server = await start(ScriptedModel(step))
    async with server.chat("henry") as henry:
        await asked_by(henry)
        asking = str(henry.hello["session_id"])
        request = await pending(server)
        await server.backend.core.approvals.approve(JOE, RequestKind.OPERATION_APPROVAL, request)
        async with asyncio.timeout(30):
            await reached.wait()
    await until(lambda: not server.manager.active_connections, "the end of the session")

    async with server.chat("henry", session=asking) as again:
        assert again.hello["interrupted"] is not None
        await again.send(type="continue")
        turn = await again.turn()
        assert turn.called("order_dish")
    assert len(await server.events("order.placed")) == 1


async def pending(server: ChatServer) -> str:
    """The id of the request that was made last."""
    return str((await server.events("request.created"))[-1]["request"])

"""Cancel means cancelled, at whatever stage of a turn, and what has happened all the same is said and kept."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from sqlalchemy import select

from family_food.chat.toolbox import Toolbox
from family_food.messages import ModelStep, ToolResults
from family_food.settings import ChatSettings
from family_food.tables import orders, turns
from permit_core.identity import Actor
from tests.server.conftest import StartServer
from tests.server.test_session import see_everything
from tests.support import tiny_mcp
from tests.support.chat_server import ChatClient, ChatServer, Turn, until
from tests.support.scripted_model import ScriptedModel, calls, says

pytestmark = pytest.mark.slow

HENRY = Actor("default", "default", "3", "Henry")
ORDER = ("order_dish", {"restaurant_id": "1", "dish_name": "Cheese Pizza"})


def tiny(_user: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=[str(Path(tiny_mcp.__file__))])


async def kept(server: ChatServer, client: ChatClient) -> list[Any]:
    """The stored conversation."""
    stored = await server.backend.conversations.load(client.hello["session_id"], HENRY)
    return list(stored.entries)


async def outcomes(server: ChatServer) -> list[str]:
    async with server.backend.core.database.reading() as reading:
        return list((await reading.execute(select(turns.c.outcome).order_by(turns.c.number))).scalars())


def stopped(turn: Turn) -> str:
    """What the person is told last."""
    return str(turn.of("status")[-1]["content"])


def results_of(entry: Any) -> list[dict[str, Any]]:
    assert isinstance(entry, ToolResults)
    return [result.content for result in entry.results]


async def cancelled(client: ChatClient) -> Turn:
    await client.send(type="cancel")
    turn = await client.turn()
    assert turn.outcome == "cancelled"
    return turn


async def test_while_the_model_thinks_or_speaks(start: StartServer) -> None:
    model = ScriptedModel([asyncio.Event()], [*says("Let me ")[:-1], asyncio.Event()], says("Hello."))
    server = await start(model, tiny)
    async with server.chat("henry") as henry:
        await henry.say("think")
        await until(lambda: len(model.prompts) == 1, "the model's turn")
        assert stopped(await cancelled(henry)) == "Stopped."
        await henry.say("speak")
        await henry.next("text_delta")
        assert stopped(await cancelled(henry)) == "Stopped."
        assert model.stopped == 2
        assert (await henry.ask("hi")).outcome == "completed"
        assert [entry.kind for entry in await kept(server, henry)] == ["user", "user", "model", "user", "model"]
    assert await outcomes(server) == ["cancelled", "cancelled", "completed"]


async def test_before_the_turn_is_written(start: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    gate, begun = asyncio.Event(), asyncio.Event()
    begin = server.backend.conversations.begin_turn

    async def slow(*args: Any, **more: Any) -> None:
        begun.set()
        await gate.wait()
        await begin(*args, **more)

    monkeypatch.setattr(server.backend.conversations, "begin_turn", slow)
    async with server.chat("henry") as henry:
        await henry.say("hi")
        await asyncio.wait_for(begun.wait(), 30)
        await henry.send(type="cancel")
        await henry.send(type="cancel")
        await henry.send(type="list", what="tools", id="l-1")
        await henry.next("listing")
        gate.set()
        turn = await henry.turn()
        assert turn.outcome == "cancelled"
        assert turn.of("text_delta") == []
        assert (await henry.ask("hi")).outcome == "completed"
    assert await outcomes(server) == ["cancelled", "completed"]


async def test_a_call_that_changes_nothing_by_the_policy_s_word_is_stopped_at_once(
    start: StartServer, settings: ChatSettings, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    text = Path(settings.policy_file).read_text()
    policy.write_text(text.replace("\ntools:\n", "\ntools:\n  look_slowly: {open: true, read_only: true}\n"))
    model = ScriptedModel(calls(("look_slowly", {"seconds": 600})), says("Hello."))
    server = await start(model, tiny, policy_file=str(policy))
    see_everything(server, "look_slowly")
    async with server.chat("henry") as henry:
        await henry.say("look")
        await henry.next("tool")
        turn = await cancelled(henry)
        assert stopped(turn) == "Stopped."
        assert turn.codes == ["cancelled"]
        (result,) = results_of((await kept(server, henry))[-1])
        assert result["error"]["message"] == "Stopped before it had any effect."
        assert (await henry.ask("hi")).outcome == "completed", "the tools are still there"


async def test_a_call_with_effects_may_tell_how_it_ended(start: StartServer) -> None:
    server = await start(ScriptedModel(calls(("sleep", {"seconds": 0.7})), says("Hello.")), tiny)
    see_everything(server)
    async with server.chat("henry") as henry:
        await henry.say("sleep")
        await henry.next("tool")
        turn = await cancelled(henry)
        assert turn.codes == [None]
        assert stopped(turn) == "Stopped. sleep had already been done."
        assert results_of((await kept(server, henry))[-1]) == [{"result": "awake"}]


async def test_a_call_with_effects_that_does_not_end_is_stopped_and_said_to_be_uncertain(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("family_food.chat.toolbox.GRACE_SECONDS", 0.2)
    server = await start(ScriptedModel(calls(("sleep", {"seconds": 600})), says("Hello.")), tiny)
    see_everything(server)
    async with server.chat("henry") as henry:
        await henry.say("sleep")
        await henry.next("tool")
        await henry.send(type="cancel")
        turn = await cancelled(henry)
        assert turn.codes == ["cancelled"]
        assert stopped(turn) == "Stopped. sleep was under way and may have had its effect."
        (result,) = results_of((await kept(server, henry))[-1])
        assert result["error"]["hint"] == "Look before you try again."
        assert (await henry.ask("hi")).outcome == "completed"


async def test_what_was_ordered_before_is_said_and_the_model_knows(start: StartServer) -> None:
    model = ScriptedModel(calls(ORDER), [asyncio.Event()], says("You have a pizza."))
    server = await start(model)
    async with server.chat("henry") as henry:
        await henry.say("cheese pizza")
        await until(lambda: len(model.prompts) == 2, "the order")
        turn = await cancelled(henry)
        assert stopped(turn) == "Stopped. The order had already been placed: Cheese Pizza, 8.99."
        await henry.ask("what did I order?")
        step, results = model.prompts[-1].entries[1:3]
        assert isinstance(step, ModelStep)
        assert [call.name for call in step.calls] == ["order_dish"]
        assert results_of(results)[0]["dish_name"] == "Cheese Pizza"
    async with server.backend.core.database.reading() as reading:
        assert len((await reading.execute(select(orders.c.id))).all()) == 1


async def test_an_order_that_is_under_way_is_told_as_it_ended(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ScriptedModel(calls(ORDER), says("Hello."))
    server = await start(model)
    called, gate = asyncio.Event(), asyncio.Event()
    to_its_end = Toolbox._to_its_end

    async def held(self: Toolbox, calling: Any, progress: Any) -> Any:
        async def slowly() -> Any:
            called.set()
            await gate.wait()
            return await calling

        return await to_its_end(self, slowly(), progress)

    monkeypatch.setattr(Toolbox, "_to_its_end", held)
    async with server.chat("henry") as henry:
        await henry.say("cheese pizza")
        await asyncio.wait_for(called.wait(), 30)
        await henry.send(type="cancel")
        gate.set()
        turn = await henry.turn()
        assert stopped(turn) == "Stopped. The order had already been placed: Cheese Pizza, 8.99."
        assert turn.codes == [None]
        assert results_of((await kept(server, henry))[-1])[0]["price"] == "8.99"


async def test_of_several_calls_each_ends_as_it_must(start: StartServer) -> None:
    several = calls(("look_slowly", {"seconds": 600}), ("sleep", {"seconds": 0.5}), ("process_id", {}))
    server = await start(ScriptedModel(several, says("Hello.")), tiny)
    see_everything(server, "look_slowly")
    async with server.chat("henry") as henry:
        await henry.say("everything")
        while (await henry.next("tool"))["state"] != "done":
            pass
        await henry.send(type="cancel")
        turn = await henry.turn()
        assert turn.outcome == "cancelled"
        first, second, third = results_of((await kept(server, henry))[-1])
        assert first["error"]["code"] == "cancelled"
        assert second == {"result": "awake"}
        assert isinstance(third["result"], int)


async def test_a_session_that_ends_waits_no_longer_for_a_call_than_a_cancel_does(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("family_food.chat.toolbox.GRACE_SECONDS", 0.2)
    server = await start(ScriptedModel(calls(("sleep", {"seconds": 600})), says("Hello.")), tiny)
    see_everything(server)
    async with server.chat("henry") as henry:
        await henry.say("sleep")
        await henry.next("tool")
    await until(lambda: not server.manager.active_connections, "the session's end")
    assert await outcomes(server) == ["cancelled"], "the client left of its own will"
    await until(lambda: server.children() == [], "the end of every child")

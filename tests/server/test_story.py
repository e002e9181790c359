"""What the chat is for, over real sockets and real children."""

from __future__ import annotations

from sqlalchemy import select

from family_food.tables import orders
from tests.support.chat_server import ChatServer


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

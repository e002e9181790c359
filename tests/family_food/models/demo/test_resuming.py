"""A turn that the end of a server cut short is carried on without doing anything twice."""

from __future__ import annotations

from typing import Any

from family_food.messages import (
    EventMessage,
    ModelStep,
    Recap,
    RecapOrder,
    ToolCall,
    ToolResult,
    ToolResults,
    UserMessage,
)
from tests.support.family_chat import Chat
from tests.support.family_tools import DECIDING, Family

LOST = {"code": "interrupted", "message": "The server stopped before this call's answer was kept.", "hint": "Look."}
FRIES = {"restaurant_id": "2", "dish_name": "2-fries"}
BURGER = {"resource_instance": "dishes:2-deluxe-burger", "operation": "order", "reason": "I got an A"}


async def cut(chat: Chat, words: str, name: str, arguments: dict[str, Any], *, done: bool, heard: bool = False) -> str:
    """A turn that called one tool and was cut; ``done``: the call had its effect, ``heard``: its answer was kept."""
    call = ToolCall(id="x", name=name, arguments=arguments)
    result = await chat.tools.run(chat.user, call) if done else None
    if result is None or not heard:
        result = ToolResult(call_id="x", name=name, content={"error": LOST}, is_error=True)
    chat.entries += [UserMessage(text=words), ModelStep(calls=[call], provider="demo"), ToolResults(results=[result])]
    return await chat.hear("turn_interrupted", {})


async def test_words_for_which_nothing_was_done_are_answered(henry: Chat, home: Family) -> None:
    henry.entries.append(UserMessage(text="order fries"))
    text = await henry.hear("turn_interrupted", {})
    assert text.startswith("Sorry, I was interrupted.")
    assert "Done! I ordered the Fries" in text
    assert len(home.orders) == 1


async def test_words_of_which_only_menus_were_read_are_answered(henry: Chat, home: Family) -> None:
    henry.entries += [
        UserMessage(text="order fries"),
        ModelStep(calls=[ToolCall(id="x", name="list_resource_instances", arguments={})]),
        ToolResults(results=[
            ToolResult(call_id="x", name="list_resource_instances", content={"error": LOST}, is_error=True)
        ]),
    ]  # fmt: skip
    assert "Done! I ordered the Fries" in await henry.hear("turn_interrupted", {})
    assert len(home.orders) == 1


async def test_an_order_that_had_been_placed_is_found_and_not_placed_again(henry: Chat, home: Family) -> None:
    text = await cut(henry, "order fries", "order_dish", FRIES, done=True)
    assert henry.steps == [["list_orders"]]
    assert "The order had been placed: Fries" in text
    assert len(home.orders) == 1


async def test_an_order_whose_answer_was_kept_is_told(henry: Chat, home: Family) -> None:
    text = await cut(henry, "order fries", "order_dish", FRIES, done=True, heard=True)
    assert not henry.calls
    assert "The order had been placed: Fries" in text
    assert len(home.orders) == 1


async def test_an_order_that_was_not_placed_is_offered_and_waits_for_a_yes(henry: Chat, home: Family) -> None:
    await henry.say("order fries")  # another one, of which is known
    text = await cut(henry, "order fries again", "order_dish", FRIES, done=False)
    assert "The Fries was not ordered. Shall I order it now?" in text
    assert len(home.orders) == 1
    await henry.say("yes")
    assert len(home.orders) == 2


async def test_an_order_of_a_recap_is_not_taken_for_the_lost_one(henry: Chat, home: Family) -> None:
    await henry.say("order fries")
    known = RecapOrder(id=home.orders[0]["id"], dish="Fries", restaurant="x", price="1")
    recap = Recap(turns=1, orders=[known])
    later = Chat(home, henry.user, entries=[recap])  # type: ignore[list-item]  # as a model is shown it
    assert "was not ordered" in await cut(later, "order fries", "order_dish", FRIES, done=False)


async def test_a_request_is_made_if_it_was_not_and_never_twice(henry: Chat, home: Family) -> None:
    words = "order the burger because I got an A"
    text = await cut(henry, words, "create_operation_approval", dict(BURGER), done=True)
    assert "A parent has been asked, and has not answered yet." in text
    assert len(home.requests) == 1
    home.requests.clear()
    text = await cut(henry, words, "create_operation_approval", dict(BURGER), done=False)
    assert "A parent has been asked if you may order the Deluxe Burger (12.99)." in text
    assert len(home.requests) == 1


async def test_a_decision_is_looked_up_and_never_made_again(henry: Chat, joe: Chat, home: Family) -> None:
    await henry.say("order the deluxe burger because I got an A")
    arguments: dict[str, Any] = {"operation_approval_id": home.requests[0]["id"]}
    text = await cut(joe, "approve it", "approve_operation_approval", arguments, done=False)
    assert "Not decided yet: Henry would like to order the Deluxe Burger" in text
    assert not DECIDING & {call.name for call in joe.calls}
    text = await cut(joe, "approve it", "approve_operation_approval", arguments, done=True)
    assert "That request is decided" in text
    assert not DECIDING & {call.name for call in joe.calls}


async def test_an_approval_that_was_being_acted_on_is_carried_on(henry: Chat, home: Family) -> None:
    await henry.say("order the deluxe burger because I got an A")
    home.decide(home.key_of("Joe"), home.requests[0]["id"], "approved", "")
    henry.entries.append(EventMessage(event="request_decided", data=dict(home.requests[0])))
    text = await henry.hear("turn_interrupted", {})
    assert "Done! I ordered the Deluxe Burger" in text
    assert text.count("Good news") == 1
    assert len(home.orders) == 1


async def test_interrupted_twice_it_is_still_the_first_words_that_are_carried_on(henry: Chat, home: Family) -> None:
    henry.entries += [UserMessage(text="order fries"), EventMessage(event="turn_interrupted", data={})]
    assert "Done! I ordered the Fries" in await henry.hear("turn_interrupted", {})
    assert len(home.orders) == 1


async def test_when_orders_cannot_be_looked_up_it_says_that_it_cannot_tell(henry: Chat, home: Family) -> None:
    home.failing["list_orders"] = {"code": "internal_error", "message": "Broken."}
    text = await cut(henry, "order fries", "order_dish", FRIES, done=True)
    assert "I can't tell whether that went through" in text
    assert len(home.orders) == 1


async def test_nothing_to_carry_on_is_no_trouble(henry: Chat) -> None:
    assert await henry.hear("turn_interrupted", {}) == "Sorry, I was interrupted. What would you like?"


async def test_how_requests_of_long_ago_stand_is_known_from_a_recap(henry: Chat, home: Family) -> None:
    await henry.say("order the deluxe burger because I got an A")
    recap = Recap(turns=3, requests=[dict(home.requests[0])])
    later = Chat(home, henry.user, entries=[recap])  # type: ignore[list-item]  # as a model is shown it
    assert "You asked to order the Deluxe Burger (12.99)" in await later.say("did they answer?")

from __future__ import annotations

import pytest

from tests.support.family_chat import Chat
from tests.support.family_tools import Family


async def test_hello_shows_the_restaurants_and_which_ones_need_asking(henry: Chat, home: Family) -> None:
    text = await henry.say("hi")
    assert henry.steps == [["list_resource_instances"]]
    for name in home.restaurants:
        assert name in text
    assert "Sushi World (ask a parent for access)" in text


async def test_a_parent_is_greeted_with_what_waits_in_one_step(joe: Chat, rose: Chat) -> None:
    await rose.say("ask for access to sushi world because I love rice")
    text = await joe.say("hello")
    assert joe.steps == [["list_resource_instances", "list_access_requests", "list_operation_approvals"]]
    assert "1 request is waiting" in text


@pytest.mark.parametrize(
    "words",
    [
        "show me the menu of pizza palace",
        "what's at pizza palace?",
        "Piza Palce menu",
        "pizza palace",
        "the pizza place",
    ],
)
async def test_a_menu_is_shown_by_name_as_people_type_it(henry: Chat, words: str) -> None:
    text = await henry.say(words)
    assert henry.steps[-1] == ["list_dishes"]
    assert henry.called("list_dishes") == [{"restaurant_id": "1"}]
    assert "- Cheese Pizza, 8.99" in text
    assert "- Pepperoni Pizza, 10.99 (needs a parent's OK)" in text


async def test_a_closed_menu_is_refused_and_access_offered_in_the_same_breath(henry: Chat) -> None:
    text = await henry.say("what's at sushi?")
    assert "Sushi World isn't open to you yet." in text
    assert text.endswith("I'll ask a parent.")
    await henry.say("I love rice")
    assert henry.called("create_access_request") == [
        {"resource_instance": "restaurants:4", "role": "child-can-view", "reason": "I love rice"}
    ]


async def test_all_menus_that_are_open_are_read_in_parallel(henry: Chat) -> None:
    text = await henry.say("what can I eat?")
    assert henry.steps == [["list_resource_instances"], ["list_dishes", "list_dishes"]]
    assert "Deluxe Burger, 12.99 (needs a parent's OK)" in text
    assert "I can't see the menus of Fancy French and Sushi World" in text


async def test_what_needs_no_asking_leaves_out_what_does(henry: Chat) -> None:
    text = await henry.say("what can i order without asking?")
    assert "Cheese Pizza" in text
    assert "Deluxe Burger" not in text
    assert "Pepperoni Pizza" not in text


async def test_a_price_limit_of_the_person_is_kept(henry: Chat) -> None:
    text = await henry.say("anything under 8?")
    assert "Classic Burger, 7.99" in text
    assert "Cheese Pizza" not in text


async def test_a_price_is_told_without_ordering(henry: Chat, home: Family) -> None:
    assert "Deluxe Burger at Burger Bonanza costs 12.99. A parent has to say yes" in await henry.say(
        "how much is the deluxe burger?"
    )
    await henry.say("ok")
    assert not home.orders


async def test_what_was_priced_can_be_ordered_as_it(henry: Chat, home: Family) -> None:
    await henry.say("how much are the fries?")
    await henry.say("order it")
    assert [order["dish_key"] for order in home.orders] == ["2-fries"]


async def test_may_i_is_answered_with_a_question_that_a_yes_orders(henry: Chat, home: Family) -> None:
    text = await henry.say("can I order the cheese pizza?")
    assert text == "The Cheese Pizza at Pizza Palace costs 8.99. You may order it. Shall I order it?"
    assert not home.orders
    await henry.say("yes please")
    assert [order["dish_key"] for order in home.orders] == ["1-cheese-pizza"]


async def test_a_name_alone_is_offered_and_not_ordered(henry: Chat, home: Family) -> None:
    assert (await henry.say("veggie pizza")).endswith("Shall I order it?")
    await henry.say("no thanks")
    assert not home.orders


async def test_the_restaurant_spoken_of_is_remembered(henry: Chat) -> None:
    await henry.say("show me burger bonanza")
    await henry.say("how are you?")
    assert "Fries" in await henry.say("menu")
    assert henry.called("list_dishes") == [{"restaurant_id": "2"}]


async def test_an_unknown_restaurant_is_answered_with_those_there_are(henry: Chat) -> None:
    text = await henry.say("show me the menu of wok heaven")
    assert "\u201cwok heaven\u201d" in text
    assert "- Burger Bonanza" in text


async def test_a_parent_sees_every_menu_without_marks(joe: Chat) -> None:
    text = await joe.say("what can I eat?")
    assert len(joe.called("list_dishes")) == 4
    assert "(" not in text


async def test_several_restaurants_of_a_name_are_asked_about(joe: Chat, home: Family) -> None:
    home.instances["restaurants:3"]["name"] = "Pizza Corner"
    assert "1. Pizza Palace\n2. Pizza Corner" in await joe.say("show me the menu of pizza")
    assert "Which one?" in await joe.say("yes")
    assert "Escargot" in await joe.say("the corner one")
    assert "Which restaurant do you mean?" in await joe.say("order a dish from pizza")
    assert "Which one do you mean?" in await joe.say("ask for access to pizza")


async def test_everything_is_every_menu(henry: Chat) -> None:
    await henry.say("show me everything")
    assert len(henry.called("list_dishes")) == 2


async def test_a_menu_nobody_can_read_is_named(henry: Chat, home: Family) -> None:
    home.failing["list_dishes"] = {"code": "internal_error", "message": "The menu is wet."}
    assert "The menu of Pizza Palace could not be read: The menu is wet." in await henry.say("what can I eat?")
    assert "The menu is wet." in await henry.say("order fries")


async def test_the_price_of_a_dish_of_a_closed_restaurant_leads_there(henry: Chat) -> None:
    assert "why you'd like to order there" in await henry.say("how much is the platter at sushi world?")
    assert "why you'd like to order there" in await henry.say("how much is sushi?")
    assert "nothing called" in await henry.say("how much is the escargot?")


async def test_the_price_of_it_is_that_of_the_dish_spoken_of(henry: Chat) -> None:
    assert "Pizza Palace:" in await henry.say("how much is it?")
    await henry.say("order fries")
    assert "Fries at Burger Bonanza costs 3.49" in await henry.say("how much is it?")


async def test_an_ambiguous_price_is_told_for_each(henry: Chat, home: Family) -> None:
    text = await henry.say("how much is the burger?")
    assert "- Classic Burger at Burger Bonanza, 7.99" in text
    assert "Which one would you like?" in await henry.say("can I order a burger?")
    await henry.say("the classic one")
    assert len(home.orders) == 1


async def test_a_dish_in_place_of_a_restaurant_is_told(henry: Chat) -> None:
    assert "Fries at Burger Bonanza costs 3.49" in await henry.say("show me the fries")


async def test_the_first_of_a_menu_can_be_picked(henry: Chat, home: Family) -> None:
    await henry.say("show me burger bonanza")
    await henry.say("the first one")
    assert [order["dish_key"] for order in home.orders] == ["2-classic-burger"]


async def test_after_a_menu_another_name_is_looked_up(henry: Chat) -> None:
    await henry.say("show me burger bonanza")
    assert "Pizza Palace:" in await henry.say("pizza palace")

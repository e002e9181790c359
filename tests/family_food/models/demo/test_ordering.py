from __future__ import annotations

import pytest

from tests.support.family_chat import Chat
from tests.support.family_tools import Family


def ordered(home: Family) -> list[str]:
    return [order["dish_key"] for order in home.orders]


@pytest.mark.parametrize(
    ("words", "dish"),
    [
        ("order cheese pizza", "1-cheese-pizza"),
        ("Order Cheese Pizzas!!", "1-cheese-pizza"),
        ("order chese piza", "1-cheese-pizza"),
        ("I'd like a classic burger from Burger Bonanza please", "2-classic-burger"),
        ("get me some fries at burgers bonanza", "2-fries"),
        ("can I have fries?", "2-fries"),
        ("could you order me the veggie one from pizza palace", "1-veggie-pizza"),
        ("hey can i get uhh fries pls", "2-fries"),
        ("let's order veggie pizza", "1-veggie-pizza"),
        ("a veggie pizza please", "1-veggie-pizza"),
        ("order me some fries, I'm starving", "2-fries"),
    ],
)
async def test_a_dish_a_child_may_have_is_ordered_at_once(henry: Chat, home: Family, words: str, dish: str) -> None:
    text = await henry.say(words)
    assert ordered(home) == [dish]
    assert text.startswith("Done! I ordered ")
    assert home.orders[0]["price"] in text


async def test_without_a_restaurant_the_menus_are_looked_through_in_parallel(henry: Chat) -> None:
    await henry.say("order fries")
    assert henry.steps == [["list_resource_instances"], ["list_dishes", "list_dishes"], ["order_dish"]]
    assert henry.called("order_dish") == [{"restaurant_id": "2", "dish_name": "2-fries"}]


async def test_an_ambiguous_dish_is_asked_for_and_chosen_by_number(henry: Chat, home: Family) -> None:
    text = await henry.say("order pizza")
    assert "Which one do you mean?" in text
    assert "3. Veggie Pizza at Pizza Palace, 9.49" in text
    assert not home.orders
    await henry.say("3")
    assert ordered(home) == ["1-veggie-pizza"]


@pytest.mark.parametrize("choice", ["the classic one", "classic", "the first one", "I'd like the classic burger", "1."])
async def test_a_choice_can_be_made_by_name(henry: Chat, home: Family, choice: str) -> None:
    await henry.say("order a burger")
    await henry.say(choice)
    assert ordered(home) == ["2-classic-burger"]


async def test_a_number_that_is_not_on_the_list_is_asked_again(henry: Chat, home: Family) -> None:
    await henry.say("order a burger")
    assert "Which one?" in await henry.say("7")
    await henry.say("2 ")
    assert henry.called("order_dish") == [{"restaurant_id": "2", "dish_name": "2-deluxe-burger"}]


async def test_several_at_once_become_one_with_a_word_about_it(henry: Chat, home: Family) -> None:
    text = await henry.say("2 cheese pizzas")
    assert ordered(home) == ["1-cheese-pizza"]
    assert "one order at a time" in text


async def test_several_of_something_ambiguous_are_asked_about(henry: Chat, home: Family) -> None:
    text = await henry.say("2 pizzas")
    assert "one order at a time" in text
    assert "Which one do you mean?" in text
    assert not home.orders


async def test_two_dishes_in_one_sentence_are_asked_about(henry: Chat, home: Family) -> None:
    text = await henry.say("order cheese pizza and fries")
    assert "Which one first?" in text
    await henry.say("fries")
    assert ordered(home) == ["2-fries"]


async def test_an_unknown_dish_is_answered_with_the_nearest(henry: Chat, home: Family) -> None:
    text = await henry.say("order a vegan classic sandwich")
    assert not home.orders
    assert "nothing called" in text
    assert "Classic Burger" in text


async def test_a_dish_of_another_restaurant_is_offered_there(henry: Chat, home: Family) -> None:
    text = await henry.say("order fries from pizza palace")
    assert "Pizza Palace has nothing called \u201cfries\u201d" in text
    assert "Fries at Burger Bonanza" in text
    assert not home.orders
    await henry.say("yes")
    assert ordered(home) == ["2-fries"]


async def test_an_unknown_restaurant_orders_nothing(henry: Chat, home: Family) -> None:
    assert "\u201cwok heaven\u201d" in await henry.say("order fries from wok heaven")
    assert not home.orders


async def test_ordering_at_a_restaurant_without_a_dish_shows_its_menu(henry: Chat, home: Family) -> None:
    text = await henry.say("order from burger bonanza")
    assert text.endswith("Which dish would you like?")
    await henry.say("fries")
    assert ordered(home) == ["2-fries"]


async def test_a_dear_dish_is_refused_and_an_approval_offered_in_the_same_breath(henry: Chat, home: Family) -> None:
    text = await henry.say("order the deluxe burger")
    assert "a parent has to say yes first" in text
    assert text.endswith("Tell me why you'd like it, and I'll ask a parent.")
    assert not home.requests


async def test_a_parent_orders_freely(joe: Chat, home: Family) -> None:
    await joe.say("order the suhsi plater")
    assert ordered(home) == ["4-sushi-platter"]


async def test_a_dish_of_a_closed_restaurant_leads_to_access(henry: Chat) -> None:
    text = await henry.say("order the suhsi plater")
    assert text.endswith("I'll ask a parent.")


async def test_a_dish_nobody_can_see_is_not_found_and_the_closed_menus_are_named(henry: Chat) -> None:
    text = await henry.say("order escargot")
    assert "I can't see the menus of Fancy French and Sushi World" in text


async def test_orders_are_listed(henry: Chat, joe: Chat) -> None:
    assert await henry.say("my orders") == "Nothing has been ordered yet."
    await henry.say("order fries")
    assert "- Fries from Burger Bonanza, 3.49, 22 Nov 2026, 12:00 UTC" in await henry.say("my orders")
    assert "- Henry: Fries" in await joe.say("what did we order?")


async def test_order_alone_asks_what(henry: Chat, home: Family) -> None:
    assert (await henry.say("order")).startswith("What would you like?")
    await henry.say("fries")
    assert ordered(home) == ["2-fries"]


async def test_a_dish_unknown_at_a_restaurant_is_answered_with_its_menu(henry: Chat, home: Family) -> None:
    text = await henry.say("order spaceship from burger bonanza")
    assert "1. Classic Burger at Burger Bonanza" in text
    await henry.say("3")
    assert ordered(home) == ["2-fries"]


async def test_one_near_dish_is_offered(henry: Chat, home: Family) -> None:
    assert "Did you mean Deluxe Burger" in await henry.say("order a deluxe sandwich platter")
    await henry.say("no")
    assert not home.orders


async def test_the_menu_open_now_decides_between_restaurants(joe: Chat, home: Family) -> None:
    home.instances["dishes:4-tempura"]["name"] = "Fries"
    await joe.say("show me sushi world")
    await joe.say("order fries")
    assert ordered(home) == ["4-tempura"]

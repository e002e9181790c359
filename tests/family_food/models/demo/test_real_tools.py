"""The family's story, told by the demo model over the real tools."""

from __future__ import annotations

import pytest

from permit_core.views import RequestView
from tests.support.family_chat import Chat
from tests.support.ordering import Table
from tests.support.real_tools import RealTools


class Home:
    """Henry and Joe, each in a session of their own, who are told what happens as the server would tell them."""

    def __init__(self, table: Table) -> None:
        tools = RealTools(table.food)
        self.table = table
        self.henry, self.joe = Chat(tools, "3"), Chat(tools, "1")
        self._heard = 0

    async def deliver(self) -> list[str]:
        """Tell everybody the news; what their assistants answer."""
        answers = []
        for notice in await self.table.food.core.notices.after(self._heard):
            self._heard = notice.id
            chat = {"3": self.henry, "1": self.joe}.get(notice.recipient)
            if chat is not None:
                view = RequestView.of(notice.request).model_dump(mode="json")
                answers.append(await chat.hear(notice.event, view))
        return answers


@pytest.fixture
def home(table: Table) -> Home:
    """The family at home."""
    return Home(table)


async def test_from_a_closed_restaurant_to_one_order_on_one_approval(home: Home) -> None:
    assert "Sushi World (ask a parent for access)" in await home.henry.say("hi")
    assert (await home.henry.say("order the suhsi plater")).endswith("I'll ask a parent.")
    await home.henry.say("because I got an A")
    assert "\u201cI got an A\u201d" in (await home.deliver())[0]

    assert "Denied" in await home.joe.say("deny it, not before dinner")
    assert "\u201cnot before dinner\u201d" in (await home.deliver())[0]
    await home.henry.say("ask again because I ate my greens")
    await home.deliver()
    assert "1. Henry would like to order from Sushi World" in await home.joe.say("any requests?")
    assert "Approved" in await home.joe.say("approve henry's sushi")

    assert (await home.deliver())[0].endswith("Say yes, or tell me another one.")
    await home.henry.say("it's my birthday")
    await home.deliver()
    assert "wait" in await home.henry.say("order the sushi platter")
    assert "Approved" in await home.joe.say("yes approve it")
    assert "Done! I ordered the Sushi Platter from Sushi World for 22.99" in (await home.deliver())[0]
    assert "has been used" in await home.henry.say("order the sushi platter again")
    await home.henry.say("no")

    rows = await home.table.rows()
    assert [(user, dish) for user, dish, _, _ in rows] == [("3", "4-sushi-platter")]
    assert rows[0][3] is not None
    assert "Henry: Sushi Platter" in await home.joe.say("what did we order?")


async def test_an_approval_is_asked_for_by_the_bare_key_of_a_dish(home: Home) -> None:
    assert "I've asked" in await home.henry.say("ask for permission for the pepperoni pizza, it's the best")
    assert "You have asked" in await home.henry.say("ask for permission for the pepperoni pizza, it's the best")


async def test_a_child_is_offered_no_deciding_tool_and_says_so(home: Home) -> None:
    assert "parents do that" in await home.henry.say("approve all")
    assert not home.henry.calls


async def test_a_reason_beyond_the_limit_is_asked_for_again(home: Home) -> None:
    await home.henry.say("order the deluxe burger")
    assert "why you'd like the Deluxe Burger, and" in await home.henry.say("I was very good " * 40)
    assert "I've asked" in await home.henry.say("I was good")

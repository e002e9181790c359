"""Conversations as ten-year-olds type them: what is said, and what has been ordered and asked for in the end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.family_chat import Chat
from tests.support.family_tools import Family


@dataclass(frozen=True)
class Talk:
    """What a child says, turn by turn, and what comes of it; ``asks`` are (what, reason)."""

    said: tuple[str, ...]
    orders: tuple[str, ...] = ()
    asks: tuple[tuple[str, str], ...] = ()
    answers: str = ""


PLATTER, ROLL, TEMPURA = "4-sushi-platter", "4-california-roll", "4-tempura"
DELUXE, CLASSIC, FRIES = "2-deluxe-burger", "2-classic-burger", "2-fries"
CHEESE, VEGGIE, PEPPERONI = "1-cheese-pizza", "1-veggie-pizza", "1-pepperoni-pizza"
SUSHI, FRENCH = "4", "3"

ORDERING = [
    Talk(("hey can i have fries pls",), (FRIES,)),
    Talk(("umm can i get a cheese pizza plz thx",), (CHEESE,)),
    Talk(("gimme fries",), (FRIES,)),
    Talk(("i wanna classic burger",), (CLASSIC,)),
    Talk(("i wanna have the veggie pizza pls pls pls",), (VEGGIE,)),
    Talk(("could we get fries \U0001f35f\U0001f64f",), (FRIES,)),
    Talk(("lemme get the fries",), (FRIES,)),
    Talk(("can u order me fries pls",), (FRIES,)),
    Talk(("hi! can i have fries?",), (FRIES,)),
    Talk(("hey. its me henry. can i get the fries",), (FRIES,)),
    Talk(("id like the classic burger from burger bonanza",), (CLASSIC,)),
    Talk(("ill have fries thx :)",), (FRIES,)),
    Talk(("how about the veggie pizza", "yes pls"), (VEGGIE,)),
    Talk(("is there any pizza", "the cheese one"), (CHEESE,)),
    Talk(("do they have fries", "ok gimme those"), (FRIES,)),
    Talk(("can i have a burger", "the classic"), (CLASSIC,)),
    Talk(("can i have a burger", "umm the first one pls"), (CLASSIC,)),
    Talk(("can i have a burger?", "1"), (CLASSIC,)),
    Talk(("can i have pizza", "veggie pls \U0001f600"), (VEGGIE,)),
    Talk(("whats at pizza palace?", "can i have the first one"), (CHEESE,)),
    Talk(("whats at pizza palace? can i have the cheese pizza",), (CHEESE,)),
    Talk(("show me the burgers place menu", "fries pls"), (FRIES,)),
    Talk(("whats cheap", "1"), (FRIES,)),
    Talk(("whats cheap?", "the fries pls"), (FRIES,)),
    Talk(("something under 10", "ok the veggie pizza then"), (VEGGIE,)),
    Talk(("can i get fries, no wait, the classic burger",), (CLASSIC,)),
    Talk(("can i have the cheese pizza. no wait the veggie one",), (VEGGIE,)),
    Talk(("order the fries, actually no",), ()),
    Talk(("i actually want fries",), (FRIES,)),
    Talk(("can i have fries. and a cheese pizza", "fries first"), (FRIES,)),
    Talk(("im hungry", "just fries"), (FRIES,)),
    Talk(("thx can i get fries",), (FRIES,)),
    Talk(("can i have the fries its so hot today",), (FRIES,)),
    Talk(("fries", "yes"), (FRIES,)),
    Talk(("fries", "\U0001f44d"), (FRIES,)),
    Talk(("can i order fries?", "yes please!!"), (FRIES,)),
]

ASKING = [
    Talk(
        ("can i get the suhsi plater? its for grandmas birthday",),
        asks=((SUSHI, "its for grandmas birthday"),),
        answers="I've asked a parent if you may order from Sushi World",
    ),
    Talk(("can i get the sushi platter its my birthday",), asks=((SUSHI, "its my birthday"),)),
    Talk(("can i have the deluxe burger? i got an A in math",), asks=((DELUXE, "i got an A in math"),)),
    Talk(("can i have the deluxe burger cause i got an A",), asks=((DELUXE, "i got an A"),)),
    Talk(("can i have the deluxe burger pls for my birthday",), asks=((DELUXE, "for my birthday"),)),
    Talk(("can i have the deluxe burger, i promise to share",), asks=((DELUXE, "i promise to share"),)),
    Talk(("its my birthday! can i have the deluxe burger",), asks=((DELUXE, "its my birthday!"),)),
    Talk(("its my birthday can i have the deluxe burger pls",), asks=((DELUXE, "its my birthday"),)),
    Talk(("i got an A, can i have the deluxe burger?",), asks=((DELUXE, "i got an A"),)),
    Talk(
        ("can i have the deluxe burger", "yes", "i cleaned my room. all of it!"),
        asks=((DELUXE, "i cleaned my room. all of it!"),),
    ),
    Talk(("gimme the deluxe burger", "pleeease", "cuz im so hungry"), asks=((DELUXE, "im so hungry"),)),
    Talk(("can i have a burger", "the deluxe one, i promise to share"), asks=((DELUXE, "i promise to share"),)),
    Talk(("can i have a burger", "2, i want to try it"), asks=((DELUXE, "i want to try it"),)),
    Talk(
        ("can i have a burger", "the deluxe please, i promise to share it with rose"),
        asks=((DELUXE, "i promise to share it with rose"),),
    ),
    Talk(("how about the deluxe burger", "yes cause i ate my greens"), asks=((DELUXE, "i ate my greens"),)),
    Talk(("how about the deluxe burger", "yes, its my birthday"), asks=((DELUXE, "its my birthday"),)),
    Talk(("can i have the deluxe burger", "no the other one"), asks=(), answers="Tell me its name"),
    Talk(("can i have a burger", "the deluxe", "no the other one"), (CLASSIC,)),
    Talk(("can i have a burger", "the deluxe", "nah gimme fries"), (FRIES,)),
    Talk(("can i have the deluxe burger", "can i have fries then"), (FRIES,)),
    Talk(("can i have the deluxe burger", "ok i want the cheese pizza"), (CHEESE,)),
    Talk(("can i have the deluxe burger", "nvm"), answers="I'll leave it"),
    Talk(("can i have the deluxe burger", "idk", "nope"), answers="I'll leave it"),
    Talk(("can i have the deluxe burger", "can you ask them pls, i was good"), asks=((DELUXE, "i was good"),)),
    Talk(("can i go to sushi world? i want to try it",), asks=((SUSHI, "i want to try it"),)),
    Talk(("can u ask mom if i can have the deluxe burger, i did my homework",), asks=((DELUXE, "i did my homework"),)),
    Talk(("ask for access to sushi world pls its for my birthday",), asks=((SUSHI, "its for my birthday"),)),
    Talk(("whats at sushi world", "cause i never had sushi"), asks=((SUSHI, "i never had sushi"),)),
    Talk(("is there any sushi", "i want to try something new"), asks=((SUSHI, "i want to try something new"),)),
    Talk(
        ("i want sushi", "its my birthday and grandma is coming"),
        asks=((SUSHI, "its my birthday and grandma is coming"),),
    ),
    Talk(
        ("can i have the deluxe burger? everybody in my class had one",),
        asks=((DELUXE, "everybody in my class had one"),),
    ),
    Talk(("can i have the deluxe burger bcuz i won the race",), asks=((DELUXE, "i won the race"),)),
    Talk(("order a deluxe burger \U0001f354 i promise to share",), asks=((DELUXE, "i promise to share"),)),
    Talk(("can i have the deluxe burger", "hey", "i was nice to rose"), asks=((DELUXE, "i was nice to rose"),)),
    Talk(("what can i have without asking", "ok fries pls"), (FRIES,)),
    Talk(
        ("what can i have without asking?", "hmm how much is the deluxe burger", "can i have it? its my bday"),
        asks=((DELUXE, "its my bday"),),
    ),
]


@pytest.mark.parametrize("talk", [*ORDERING, *ASKING], ids=lambda talk: " / ".join(talk.said))
async def test_a_child_gets_what_was_meant(henry: Chat, home: Family, talk: Talk) -> None:
    text = ""
    for words in talk.said:
        text = await henry.say(words)
    assert tuple(order["dish_key"] for order in home.orders) == talk.orders, text
    asked = [(one["resource_instance"].partition(":")[2], one["reason"]["text"]) for one in home.requests]
    assert tuple(asked) == talk.asks, text
    assert talk.answers in text


async def decide(chat: Chat, home: Family, status: str, comment: str = "") -> str:
    """A parent decides the newest request, and the child's assistant hears of it."""
    return await chat.hear("request_decided", home.decide(home.key_of("Joe"), home.requests[-1]["id"], status, comment))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("yes", "its for grandmas birthday"),
        ("yes pls", "its for grandmas birthday"),
        ("ok ask them", "its for grandmas birthday"),
        ("the platter please, i promise to share", "i promise to share"),
        ("i promise to share", "i promise to share"),
        ("yes cause i promise to share", "i promise to share"),
    ],
)
async def test_the_way_to_the_platter_needs_no_word_twice(henry: Chat, home: Family, answer: str, reason: str) -> None:
    await henry.say("can i get the suhsi plater? its for grandmas birthday")
    text = await decide(henry, home, "approved")
    assert "The Sushi Platter costs 22.99" in text
    assert "\u201cits for grandmas birthday\u201d" in text
    await henry.say(answer)
    assert [one["reason"]["text"] for one in home.requests[1:]] == [reason]
    assert "Done! I ordered the Sushi Platter" in await decide(henry, home, "approved")
    assert [order["dish_key"] for order in home.orders] == [PLATTER]


@pytest.mark.parametrize(
    ("answer", "dish"),
    [
        ("the roll", ROLL),
        ("tempura pls", TEMPURA),
        ("can i have the tempura", TEMPURA),
        ("the first one", ROLL),
        ("ok order the california roll from sushi world", ROLL),
        ("umm the last one thx", TEMPURA),
        ("the tempura please, i promise to share", TEMPURA),
    ],
)
async def test_a_menu_just_shown_is_ordered_from_without_looking_again(
    henry: Chat, home: Family, answer: str, dish: str
) -> None:
    await henry.say("can i go to sushi world? i want to try it")
    assert "Which dish would you like?" in await decide(henry, home, "approved")
    await henry.say(answer)
    assert [order["dish_key"] for order in home.orders] == [dish]
    assert henry.steps == [["order_dish"]]


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ("the platter", ()),
        ("sushi platter", ()),
        ("2", ()),
        ("the platter please, i promise to share", ("i promise to share",)),
        ("the sushi platter cause its my birthday", ("its my birthday",)),
    ],
)
async def test_the_dear_dish_of_a_menu_is_offered_or_asked_for(
    henry: Chat, home: Family, answer: str, asked: tuple[str, ...]
) -> None:
    await henry.say("can i go to sushi world? i want to try it")
    await decide(henry, home, "approved")
    text = await henry.say(answer)
    assert tuple(one["reason"]["text"] for one in home.requests[1:]) == asked
    assert asked or "so a parent has to say yes first" in text


@pytest.mark.parametrize("answer", ["yes", "that one", "1", "the platter", "the sushi platter pls"])
async def test_one_clear_candidate_is_gone_on_with(henry: Chat, home: Family, answer: str) -> None:
    await henry.say("can i get some yummy tempra bowl from sushi world, i want to try it")
    text = await decide(henry, home, "approved")
    assert "Tempura, 9.99" in text
    assert not home.orders
    await henry.say("yes pls")
    assert [order["dish_key"] for order in home.orders] == [TEMPURA]


async def test_asking_again_takes_the_better_reason(henry: Chat, home: Family) -> None:
    await henry.say("can i have the deluxe burger? im hungry")
    assert "Joe says: \u201ctoo dear\u201d" in await decide(henry, home, "denied", "too dear")
    await henry.say("ask again pls. i will share it with rose")
    assert [one["reason"]["text"] for one in home.requests] == ["im hungry", "i will share it with rose"]


async def test_an_answer_to_why_needs_one_call(henry: Chat) -> None:
    await henry.say("can i have the deluxe burger")
    await henry.say("yes please ask for the approval of the deluxe burger, because i was good")
    assert henry.steps == [["create_operation_approval"]]


async def test_the_dish_spoken_of_is_not_looked_up_again(henry: Chat) -> None:
    await henry.say("how much is the deluxe burger")
    await henry.say("whats it cost? i mean how much is it")
    assert henry.steps == [["list_dishes"]]
    await henry.say("ok order the deluxe burger")
    assert henry.steps == [["order_dish"]]


@pytest.mark.parametrize("words", ["the tempura please", "ok can i have the tempura then"])
async def test_what_is_named_while_nobody_has_answered_is_looked_for_later(
    henry: Chat, home: Family, words: str
) -> None:
    await henry.say("whats at sushi world")
    await henry.say("i want to try it")
    assert "I'll look for \u201cthe tempura\u201d there" in await henry.say(words)
    assert "Done! I ordered the Tempura" in await decide(henry, home, "approved")

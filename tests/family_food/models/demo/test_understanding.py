from __future__ import annotations

import pytest

from family_food.models.demo.intents import (
    AskAgain,
    AskFor,
    Choices,
    Decide,
    Greeting,
    Intent,
    Mention,
    Menu,
    No,
    Order,
    Orders,
    Pick,
    Price,
    Requests,
    Restaurants,
    Ruling,
    SmallTalk,
    Unclear,
    Yes,
)
from family_food.models.demo.reading import read
from family_food.models.demo.sentence import LONGEST, Sentence
from family_food.models.demo.understanding import understand

# The names here are of no family: the rules know none.
BROWSING: list[tuple[str, Intent]] = [
    ("hi", Greeting()),
    ("Hello there!", Greeting()),
    ("what restaurants are there?", Restaurants()),
    ("Which restaurants can I go to", Restaurants()),
    ("where can we eat?", Restaurants()),
    ("can you tell me what restaurants there are", Restaurants()),
    ("show me the menu of taco town", Menu("taco town")),
    ("show me Taco Town's menu", Menu("Taco Town")),
    ("menu", Menu()),
    ("I want to see the menu", Menu()),
    ("what do they have?", Menu()),
    ("what's at taco?", Menu("taco")),
    ("whats at taco town", Menu("taco town")),
    ("what's on the menu at Taco Town?", Menu("Taco Town")),
    ("What can I eat at Taco Town?", Menu("Taco Town")),
    ("I'd like to see what taco town has", Menu("taco town")),
    ("what about taco town?", Menu("taco town")),
    ("what can I eat?", Choices()),
    ("what can I order?", Choices()),
    ("I'm hungry", Choices()),
    ("what can i order without asking?", Choices(freely=True)),
    ("anything under 8?", Choices(up_to_cents=800)),
    ("what can i get for less than 9.50?", Choices(up_to_cents=950)),
    ("how much is the taco?", Price("the taco")),
    ("I would like to know how much the tacos are", Price("the tacos")),
    ("what does a taco cost?", Price("a taco")),
    ("what's the price of the taco?", Price("the taco")),
    ("do they have tacos?", Price("tacos", may=True)),
    ("can I order the taco?", Price("the taco", may=True)),
    ("cheese taco", Mention("cheese taco")),
]
ORDERING: list[tuple[str, Intent]] = [
    ("order cheese taco", Order("cheese taco")),
    ("hi, order a cheese taco please!", Order("a cheese taco")),
    ("order CHEESE TACO now", Order("CHEESE TACO")),
    ("I'd like a taco from Taco Town please", Order("a taco", "Taco Town", soft=True)),
    ("get me the big taco", Order("the big taco")),
    ("could you please order me a taco?", Order("a taco")),
    ("can we get two tacos?", Order("tacos", count=2, soft=True)),
    ("2 tacos", Order("tacos", count=2, soft=True)),
    ("order 3x tacos", Order("tacos", count=3)),
    ("order the taco because I got an A", Order("the taco", reason="I got an A")),
    ("order the taco, I got an A", Order("the taco", reason="I got an A")),
    ("order the taco for my birthday", Order("the taco", reason="for my birthday")),
    (
        "order the taco from taco town because it is my birthday, please!",
        Order("the taco", "taco town", "it is my birthday"),
    ),
    ("order from taco town", Order("", "taco town")),
    ("order something at taco town", Order("", "taco town")),
    ("order", Order("")),
    ("order it", Order("it")),
    ("no, I want fries", Order("fries", soft=True)),
    ("I'll have fries instead", Order("fries")),
    ("order a taco from taco town and soup from soup hut", Order("a taco", "taco town", count=2)),
    ("order me some tacos, I'm starving", Order("some tacos", reason="I'm starving")),
]
ASKING: list[tuple[str, Intent]] = [
    ("ask for access to Taco Town, I want to try it", AskFor("Taco Town", "I want to try it")),
    ("request access to taco town", AskFor("taco town")),
    ("can you ask my mom for access to Taco Town?", AskFor("Taco Town")),
    ("please ask dad if I can have the taco because it's my birthday", AskFor("the taco", "it's my birthday")),
    ("ask dad: can I have the taco?", AskFor("the taco")),
    ("ask for permission for the taco", AskFor("the taco")),
    ("grant me access to taco town", AskFor("taco town")),
    ("ask my parents", AskFor("")),
    ("ask again because I ate my greens", AskAgain("I ate my greens")),
    ("ask again for access to taco town because I am good", AskFor("taco town", "I am good")),
    ("did they answer?", Requests(mine=True)),
    ("did mom answer yet?", Requests(mine=True)),
    ("is my request approved?", Requests(mine=True)),
    ("my requests", Requests(mine=True)),
    ("any news?", Requests(mine=True)),
    ("my orders", Orders()),
    ("what did we order?", Orders()),
    ("order history", Orders()),
    ("any requests?", Requests()),
    ("pending", Requests()),
    ("anything to approve?", Requests()),
    ("show denied requests", Requests(status="denied")),
]
TALKING: list[tuple[str, Intent]] = [
    ("yes", Yes()),
    ("Ok.", Yes()),
    ("yes please", Yes()),
    ("yes because it's my birthday", Yes("it's my birthday")),
    ("no", No()),
    ("no thanks", No()),
    ("never mind", No()),
    ("nope, forget it", No()),
    ("2", Pick(2)),
    ("the second one", Pick(2)),
    ("yes, the first one", Pick(1)),
    ("number three", Pick(3)),
    ("last", Pick(-1)),
    ("thanks", SmallTalk("thanks")),
    ("ok thanks", SmallTalk("thanks")),
    ("bye", SmallTalk("bye")),
    ("how are you?", SmallTalk("how")),
    ("who are you?", SmallTalk("who")),
    ("are you a robot?", SmallTalk("who")),
    ("help", SmallTalk("help")),
    ("what can you do?", SmallTalk("help")),
    ("???", SmallTalk("help")),
    ("cancel my order", SmallTalk("cancel")),
    ("", SmallTalk("lost")),
    ("   \n\t", SmallTalk("lost")),
    ("!!!", SmallTalk("lost")),
    ("\U0001f600", SmallTalk("lost")),
    ("what is the weather like today in Paris?", SmallTalk("lost")),
    ("Ich h\u00e4tte heute gern etwas anderes zum Abendessen", SmallTalk("lost")),
]


@pytest.mark.parametrize(("text", "meant"), [*BROWSING, *ORDERING, *ASKING, *TALKING])
def test_a_sentence_means(text: str, meant: Intent) -> None:
    assert understand(Sentence.of(text)) == meant


DECISIONS: list[tuple[str, tuple[Ruling, ...]]] = [
    ("approve 1", (Ruling("approve", (1,)),)),
    ("ok approve #2", (Ruling("approve", (2,)),)),
    ("accept number two", (Ruling("approve", (2,)),)),
    ("approve the last one", (Ruling("approve", (-1,)),)),
    ("approve", (Ruling("approve"),)),
    ("yes approve it", (Ruling("approve"),)),
    ("no, deny it", (Ruling("deny"),)),
    ("approve anna's taco", (Ruling("approve", selector="anna's taco"),)),
    ("please approve anna's request", (Ruling("approve", selector="anna's"),)),
    ("let anna have the taco", (Ruling("approve", selector="anna taco"),)),
    ("say no to anna", (Ruling("deny", selector="anna"),)),
    ("no to anna's taco", (Ruling("deny", selector="anna's taco"),)),
    ("approve the 22.99 one", (Ruling("approve", selector="22.99"),)),
    ("approve all", (Ruling("approve", everything=True),)),
    ("approve both", (Ruling("approve", both=True),)),
    ("deny everything", (Ruling("deny", everything=True),)),
    ("approve all of anna's requests", (Ruling("approve", everything=True, selector="anna's"),)),
    ("approve 1, 2 and 3", (Ruling("approve", (1, 2, 3)),)),
    ("approve 1 and deny 2", (Ruling("approve", (1,)), Ruling("deny", (2,)))),
    ("deny the second one, not before dinner", (Ruling("deny", (2,), comment="not before dinner"),)),
    (
        "deny anna's request because it's too expensive",
        (Ruling("deny", selector="anna's", comment="it's too expensive"),),
    ),
    ("deny anna's request: too much", (Ruling("deny", selector="anna's", comment="too much"),)),
    ("deny anna's request. Too much!", (Ruling("deny", selector="anna's", comment="Too much"),)),
    ('approve 1 with the comment "only this once"', (Ruling("approve", (1,), comment="only this once"),)),
    ("approve it and tell her she must be home by 7", (Ruling("approve", comment="she must be home by 7"),)),
    ("approve it, please", (Ruling("approve"),)),
    (
        "approve 1, deny 2 because it's too expensive",
        (Ruling("approve", (1,)), Ruling("deny", (2,), comment="it's too expensive")),
    ),
]


@pytest.mark.parametrize(("text", "rulings"), DECISIONS)
def test_an_imperative_decides(text: str, rulings: tuple[Ruling, ...]) -> None:
    assert understand(Sentence.of(text)) == Decide(rulings)


@pytest.mark.parametrize(
    "text",
    [
        "should I approve it?",
        "don't approve 1",
        "I won't approve it",
        "who approved it?",
        "what happens if I deny it?",
        "approve or deny?",
        "approve nothing",
        "approve 1 if he did his homework",
        "approve 1, if he did his homework",
        "approve 1 not 2",
        "approve all except anna's",
        "approve all but 2",
        "approve all, but be home by 7",
        "approved",
    ],
)
def test_a_question_a_condition_or_an_exception_decides_nothing(text: str) -> None:
    assert understand(Sentence.of(text)) == Unclear()


@pytest.mark.parametrize(
    "part", ["! ", ", ", "thanks ", "ok", "please ", "because ", "no ", "1 ", "approve ", "and ", "order "]
)
def test_a_text_of_repeated_words_is_read_in_time(part: str) -> None:
    text = (part * LONGEST)[: LONGEST - 1]
    for ending in ("", "x"):
        assert understand(Sentence.of(text + ending)) is not None


def test_a_text_that_is_too_long_is_not_read() -> None:
    assert understand(Sentence.of("order a taco " * LONGEST)) == SmallTalk("long")


@pytest.mark.parametrize(
    "part",
    [
        "no wait, ",
        "actually ",
        "a. ",
        "a, ",
        "its my birthday ",
        "can i have ",
        "plea",
        ":) ",
        "what? ",
        "approve it. ",
    ],
)
def test_a_message_of_repeated_parts_is_read_in_time(part: str) -> None:
    text = (part * LONGEST)[: LONGEST - 1]
    for ending in ("", "x", "?"):
        assert read(text + ending).intent is not None

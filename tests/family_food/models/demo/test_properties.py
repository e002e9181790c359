from __future__ import annotations

import re

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from family_food.messages import UserMessage
from family_food.models.demo.names import score
from family_food.models.demo.reading import read
from family_food.models.demo.sentence import Sentence
from family_food.models.demo.understanding import understand
from family_food.models.port import Prompt
from tests.support.family_chat import Chat, one_step
from tests.support.family_tools import DECIDING, Family

# What any decision must be ordered with.
VERB = re.compile(
    r"approve|accept|authori[sz]e|agree to|(?:yes|yep|yeah|ok|okay|fine|sure|no|nope|nah) (?:to|for)|allow|grant|permit|let|deny|refuse|reject|decline|forbid|disallow|"
    r"turn down|no to",
    re.IGNORECASE,
)
VOCABULARY = """
order approve deny yes no ok please the a 1 2 second last sushi platter pizza burger fries henry rose joe because I it my
birthday menu of at from palace fancy french world access request requests ask for what can eat , . ? ! - not if all both
but except didn't they answer never mind show me how much is
"""
WORDS = st.sampled_from(sorted(VOCABULARY.split()))
SENTENCES = st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=9).map(" ".join))
SMALL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=1200))
def test_any_text_is_understood_somehow(text: str) -> None:
    assert understand(Sentence.of(text)) is not None
    assert read(text).intent is not None


@SMALL
@given(st.text(max_size=60), st.text(max_size=60))
def test_likeness_is_a_share(phrase: str, name: str) -> None:
    assert 0 <= score(phrase, name) <= 1


@SMALL
@given(st.lists(SENTENCES, min_size=1, max_size=5), st.sampled_from(["Henry", "Joe"]))
def test_only_offered_tools_are_called_and_decisions_need_the_word(said: list[str], name: str) -> None:
    async def talk() -> None:
        home = Family()
        await Chat(home, home.key_of("Rose")).say("ask for access to sushi world because I love rice")
        await Chat(home, home.key_of("Henry")).say("order the deluxe burger because I got an A")
        chat = Chat(home, home.key_of(name))
        offered = {tool.name for tool in await home.offered(chat.user)}
        asked = False
        for words in said:
            asked = asked or bool(VERB.search(words))
            text = await chat.say(words)
            assert text
            assert {call.name for call in chat.calls} <= offered
            made = [f"{call.name}{call.arguments}" for call in chat.calls]
            assert len(made) == len(set(made))
            if DECIDING & {call.name for call in chat.calls}:
                assert asked
            asked = asked and "Which one" in text  # the word was said, and now the choice is asked for

    anyio.run(talk)


@SMALL
@given(SENTENCES)
def test_the_same_prompt_gives_the_same_step(text: str) -> None:
    async def twice() -> None:
        home = Family()
        prompt = Prompt("", [UserMessage(text=text)], await home.offered("3"))
        assert await one_step(prompt) == await one_step(prompt)

    anyio.run(twice)

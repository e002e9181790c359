"""Conversations as hurried parents type them: a decision only ever follows a clear word, and it meets the right request."""

from __future__ import annotations

import pytest

from tests.support.family_chat import Chat
from tests.support.family_tools import DECIDING, Family

PENDING, APPROVED, DENIED = "pending", "approved", "denied"


def standing(home: Family) -> list[tuple[str, str]]:
    return [(one["status"], (one.get("comment") or {}).get("text", "")) for one in home.requests]


@pytest.fixture
async def one(henry: Chat, joe: Chat, home: Family) -> Family:
    """Henry wants the platter, and Joe has just been told."""
    home.granted.add((henry.user, "restaurants:4"))
    await henry.say("can i get the suhsi plater? its for grandmas birthday")
    await joe.hear("request_created", home.requests[0])
    return home


@pytest.fixture
async def two(one: Family, rose: Chat, joe: Chat) -> Family:
    """Rose wants the deluxe burger as well, and Joe has looked at the list."""
    await rose.say("can i have the deluxe burger? i got an A")
    assert "2. Rose would like to order the Deluxe Burger (12.99)" in await joe.say("any requests?")
    return one


@pytest.mark.parametrize(
    ("said", "status", "comment"),
    [
        (("approve it",), APPROVED, ""),
        (("ok for henry",), APPROVED, ""),
        (("ok for henry, but share it",), APPROVED, "share it"),
        (("yes let him",), APPROVED, ""),
        (("yes, let him have it",), APPROVED, ""),
        (("let henry have the platter",), APPROVED, ""),
        (("let him, its grandmas day",), APPROVED, "its grandmas day"),
        (("approve henrys platter",), APPROVED, ""),
        (("approve the sushi one, and tell him to save me some",), APPROVED, "save me some"),
        (("hey approve it pls",), APPROVED, ""),
        (("what did henry ask?", "ok approve it"), APPROVED, ""),
        (("what did henry ask? approve it",), APPROVED, ""),
        (("how much was it?", "deny it, too dear"), DENIED, "too dear"),
        (("deny henry. too expensive",), DENIED, "too expensive"),
        (("no to henry, too late for that",), DENIED, "too late for that"),
        (("nope", "deny it"), DENIED, ""),
        (("no way, too expensive", "deny it"), DENIED, "too expensive"),
        (("no way, its too expensive", "deny it, sorry"), DENIED, "sorry"),
        (("nah its too late", "approve it"), APPROVED, ""),
        (("no way, too expensive", "ok for henry"), APPROVED, ""),
        (("yes cause its grandmas day", "approve it"), APPROVED, "its grandmas day"),
        (("nope",), PENDING, ""),
        (("no way, too expensive",), PENDING, ""),
        (("yes",), PENDING, ""),
        (("ok",), PENDING, ""),
        (("\U0001f44d",), PENDING, ""),
        (("should i let him?",), PENDING, ""),
        (("if he was good, approve it",), PENDING, ""),
        (("he was good, so maybe approve it?",), PENDING, ""),
        (("approve it, no wait",), PENDING, ""),
        (("dont approve it. its too dear",), PENDING, ""),
        (("i would approve it if it was cheaper",), PENDING, ""),
        (("how much was it?",), PENDING, ""),
        (("what did henry ask?",), PENDING, ""),
        (("ok for rose",), PENDING, ""),
        (("no for now",), PENDING, ""),
        (("the school said: approve all",), PENDING, ""),
    ],
    ids=lambda value: " / ".join(value) if isinstance(value, tuple) else value,
)
async def test_one_request_is_decided_on_a_clear_word(
    joe: Chat, one: Family, said: tuple[str, ...], status: str, comment: str
) -> None:
    text = ""
    for words in said:
        text = await joe.say(words)
    assert standing(one) == [(status, comment)], text


@pytest.mark.parametrize(
    ("said", "after"),
    [
        (("approve henrys platter",), [(APPROVED, ""), (PENDING, "")]),
        (("ok for henry",), [(APPROVED, ""), (PENDING, "")]),
        (("deny rose, too late for that",), [(PENDING, ""), (DENIED, "too late for that")]),
        (("deny rose. its too late",), [(PENDING, ""), (DENIED, "its too late")]),
        (
            ("approve the sushi one and deny the other because it is too dear",),
            [(APPROVED, ""), (DENIED, "it is too dear")],
        ),
        (("approve the burger and deny the other one",), [(DENIED, ""), (APPROVED, "")]),
        (("approve the first one", "deny the other one"), [(APPROVED, ""), (DENIED, "")]),
        (("approve both",), [(APPROVED, ""), (APPROVED, "")]),
        (("ok approve all of them",), [(APPROVED, ""), (APPROVED, "")]),
        (("deny the rest",), [(DENIED, ""), (DENIED, "")]),
        (("approve", "both"), [(APPROVED, ""), (APPROVED, "")]),
        (("approve", "all of them"), [(APPROVED, ""), (APPROVED, "")]),
        (("approve it", "the first one"), [(APPROVED, ""), (PENDING, "")]),
        (("deny it, too dear", "henrys platter"), [(DENIED, "too dear"), (PENDING, "")]),
        (("approve it", "umm rose"), [(PENDING, ""), (APPROVED, "")]),
        (("approve 1. deny 2. its late",), [(APPROVED, ""), (DENIED, "its late")]),
        (("yes to henry, no to rose",), [(APPROVED, ""), (DENIED, "")]),
        (("ok for henry but deny rose",), [(APPROVED, ""), (DENIED, "")]),
        (("both",), [(PENDING, ""), (PENDING, "")]),
        (("all of them",), [(PENDING, ""), (PENDING, "")]),
        (("the first one",), [(PENDING, ""), (PENDING, "")]),
        (("nope",), [(PENDING, ""), (PENDING, "")]),
        (("approve the other one",), [(PENDING, ""), (PENDING, "")]),
        (("approve", "nvm", "both"), [(PENDING, ""), (PENDING, "")]),
        (("approve 1, actually no",), [(PENDING, ""), (PENDING, "")]),
    ],
    ids=lambda value: " / ".join(value) if isinstance(value, tuple) else "",
)
async def test_of_two_requests_the_right_one_is_decided(
    joe: Chat, two: Family, said: tuple[str, ...], after: list[tuple[str, str]]
) -> None:
    text = ""
    for words in said:
        text = await joe.say(words)
    assert standing(two) == after, text


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        ("how much was it?", "That was Henry's request to order the Sushi Platter (22.99)."),
        (
            "what did henry ask?",
            "Henry would like to order the Sushi Platter (22.99): \u201cits for grandmas birthday\u201d",
        ),
        ("nope", 'say "deny it"'),
        ("no way, too expensive", "I'll pass on your words: \u201ctoo expensive\u201d."),
        ("yes", 'say "approve it"'),
        ("both", "I only decide on a clear word"),
    ],
)
async def test_a_parent_is_told(joe: Chat, one: Family, words: str, answers: str) -> None:
    await joe.say("any requests?")
    assert answers in await joe.say(words)
    assert not DECIDING & {call.name for call in joe.calls}


async def test_what_was_decided_can_still_be_spoken_of(joe: Chat, one: Family) -> None:
    await joe.say("approve it")
    assert "(22.99)" in await joe.say("how much was it?")


async def test_words_to_one_request_do_not_go_with_another(joe: Chat, one: Family, rose: Chat) -> None:
    await joe.say("no way, too expensive")
    await rose.say("can i have the deluxe burger? i got an A")
    await joe.say("any requests?")
    await joe.say("deny rose")
    assert standing(one) == [(PENDING, ""), (DENIED, "")]


async def test_a_child_who_talks_like_a_parent_decides_nothing(henry: Chat, one: Family) -> None:
    for words in ("ok for henry", "yes let him", "hey! approve it", "both", "let me have it"):
        await henry.say(words)
        assert not DECIDING & {call.name for call in henry.calls}
    assert standing(one) == [(PENDING, "")]

from __future__ import annotations

import pytest

from tests.support.family_chat import Chat


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("thanks", "welcome"),
        ("bye", "Goodbye"),
        ("how are you?", "fine"),
        ("who are you?", "offline demo model"),
        ("help", "I can help you"),
        ("", "didn't understand"),
        ("   ", "didn't understand"),
        ("blorf", "didn't understand"),
        ("Was gibt es zu essen?", "didn't understand"),
        ("x" * 100_000, "more than I can read"),
        ("cancel my order", "can't take back"),
        ("yes", "no open question"),
        ("no", "All right."),
        ("7", "no open question"),
    ],
)
async def test_small_talk_is_answered(henry: Chat, words: str, part: str) -> None:
    assert part in await henry.say(words)
    assert not {call.name for call in henry.calls} - {"list_resource_instances", "list_dishes"}


async def test_what_it_can_do_depends_on_the_tools(henry: Chat, joe: Chat) -> None:
    assert "approve 1" not in await henry.say("help")
    assert "approve 1" in await joe.say("help")

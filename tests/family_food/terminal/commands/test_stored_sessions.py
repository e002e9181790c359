from __future__ import annotations

from typing import Any

import pytest

from family_food.terminal.commands.conversation_commands import last_exchange
from family_food.terminal.commands.stored_sessions import StoredSessions

LISTED = [{"id": "chat_ab1", "title": "Sweets"}, {"id": "chat_ab2", "title": ""}, {"id": "chat_cd3"}]


async def listing(page: int, per_page: int) -> dict[str, Any]:
    return {"conversations": [*LISTED, "nonsense"], "total": 12}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("1", "chat_ab1"),
        (" 3 ", "chat_cd3"),
        ("4", None),
        ("0", None),
        ("chat_c", "chat_cd3"),
        ("chat_ab", None),
        ("chat_ab2", "chat_ab2"),
        ("", None),
    ],
)
async def test_a_conversation_is_found_by_number_and_by_id(word: str, found: str | None) -> None:
    sessions = StoredSessions(listing)
    assert await sessions.fetch() == 12
    sessions.shown()
    assert sessions.find(word) == found


async def test_numbers_stay_as_they_were_shown_when_one_is_deleted() -> None:
    sessions = StoredSessions(listing)
    await sessions.fetch()
    sessions.shown()
    sessions.forget("chat_ab1")
    assert sessions.find("2") == "chat_ab2"
    assert [one["id"] for one in sessions.listed] == ["chat_ab2", "chat_cd3"]


async def pages(page: int, per_page: int) -> dict[str, Any]:
    """A hundred and fifty conversations, each tenth about pizza."""
    every = [{"id": f"chat_{n}", "title": f"{'Pizza' if n % 10 == 0 else 'Soup'} number {n}"} for n in range(1, 151)]
    return {"conversations": every[(page - 1) * per_page : page * per_page], "total": len(every)}


async def test_numbers_of_an_older_page_go_on_where_the_page_before_ended() -> None:
    sessions = StoredSessions(pages)
    assert await sessions.fetch(3) == 150
    assert [number for number, _ in sessions.shown()] == list(range(41, 61))
    assert sessions.find("41") == "chat_41"
    assert sessions.find("1") is None
    await sessions.fetch(1)  # looked at, but not shown
    assert [number for number, _ in sessions.numbered()] == list(range(41, 61))


async def test_conversations_are_found_by_words_of_their_name_on_every_page() -> None:
    sessions = StoredSessions(pages)
    found = await sessions.search("piZZa  number")
    assert [one["id"] for one in found] == [f"chat_{n}" for n in range(10, 151, 10)]
    assert [one["id"] for one in await sessions.search("140 pizza")] == ["chat_140"]
    assert await sessions.search("sushi") == []
    sessions.shown()
    assert sessions.find("chat_149") == "chat_149"


def test_the_last_exchange_begins_with_the_persons_last_words() -> None:
    said = [{"kind": kind, "text": kind} for kind in ("user", "model", "user", "model", "results", "model")]
    assert [entry["text"] for entry in last_exchange({"entries": said})] == ["user", "model", "results", "model"]
    assert last_exchange({"entries": "nonsense"}) == []
    assert last_exchange({}) == []

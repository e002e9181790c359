from __future__ import annotations

from typing import Any

import pytest

from family_food.terminal.commands.waiting_requests import WaitingRequests


def view(name: str, who: str = "Rose", status: str = "pending", second: int = 0) -> dict[str, Any]:
    created = f"2026-01-02T03:04:{second:02}Z"
    return {"id": name, "status": status, "requesting_user": who, "created_at": created}


@pytest.fixture
def waiting() -> WaitingRequests:
    """Joe's: two to decide, one of his own."""
    made = WaitingRequests()
    made.update([view("abc-2", second=2), view("own-1", "Joe", second=3), view("abd-1", second=1)], "Joe")
    return made


def ids(views: list[Any]) -> list[str]:
    return [one["id"] for one in views]


def test_what_others_ask_is_to_decide_oldest_first_and_what_one_asked_is_not(waiting: WaitingRequests) -> None:
    assert ids(waiting.to_decide) == ["abd-1", "abc-2"]
    assert ids(waiting.mine) == ["own-1"]


@pytest.mark.parametrize(
    ("word", "found"),
    [("1", "abd-1"), ("2", "abc-2"), ("3", "own-1"), ("abc", "abc-2"), ("abd-1", "abd-1")],
)
def test_a_request_is_found_by_number_and_by_id(waiting: WaitingRequests, word: str, found: str) -> None:
    got = waiting.find(word)
    assert got is not None
    assert got["id"] == found


@pytest.mark.parametrize(
    ("word", "named"),
    [("7", True), ("", True), ("abd-1", True), ("abd-", True), ("req_9", True), ("a", False), ("enjoy", False)],
)
def test_a_word_that_is_no_number_and_no_id_is_the_beginning_of_a_comment(
    waiting: WaitingRequests, word: str, named: bool
) -> None:
    assert waiting.is_named_by(word) is named


@pytest.mark.parametrize("word", ["0", "4", "99999", "ab", "", "zzz", "-1", "²"])
def test_nothing_is_found_for_what_means_none_or_several(waiting: WaitingRequests, word: str) -> None:
    assert waiting.find(word) is None


def test_a_number_means_what_was_shown_with_it_even_when_the_list_has_changed(waiting: WaitingRequests) -> None:
    waiting.shown()
    waiting.update([view("new-0", second=0), view("abc-2", second=2)], "Joe")
    found = waiting.find("2")
    assert found is not None
    assert found["id"] == "abc-2"
    assert waiting.find("1") is None  # decided meanwhile: not the one that took its place
    assert [(number, one["id"]) for number, one in waiting.numbered()] == [(2, "abc-2")]


def test_news_are_followed(waiting: WaitingRequests) -> None:
    waiting.news(view("abd-1", status="approved"), "Joe")
    waiting.news(view("new-9", second=9), "Joe")
    waiting.news("nonsense", "Joe")
    assert ids(waiting.to_decide) == ["abc-2", "new-9"]


def test_a_listing_that_makes_no_sense_is_empty(waiting: WaitingRequests) -> None:
    waiting.update([None, 3, {"id": 4}, {"status": "approved"}], "Joe")
    assert waiting.shown() == []

"""A request as whoever decides it is shown it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from family_food.terminal.display.approval_facts import approval_facts, approval_title, in_words, seconds_left

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "kind": "operation_approval",
    "requesting_user": "Henry",
    "resource_instance": "dishes:4-sushi",
    "resource_name": "Sushi Platter",
    "operation": "order",
    "pinned": {"price_cents": 2299, "note": "no\nfish"},
    "reason": {"text": 'a "good" reason'},
    "expires_at": (NOW + timedelta(hours=20)).isoformat(),
}


def test_everything_that_counts_is_there_in_order() -> None:
    assert approval_facts(ORDER, 300, "enjoy", now=NOW.timestamp()) == [
        ("Who", "Henry"),
        ("What", "order Sushi Platter (dishes:4-sushi), once"),
        ("Price", "22.99"),
        ("Note", "no fish"),
        ("Reason", "\"a 'good' reason\""),
        ("Comment", '"enjoy"'),
        ("Expires", "in 20 hours"),
        ("Answer", "within 5 minutes"),
    ]


def test_a_role_is_named_with_what_it_is_on() -> None:
    view = {"kind": "access_request", "role": "child-can-view", "resource_name": "Sushi World"}
    view["resource_instance"] = "restaurants:4"
    assert ("What", "the role child-can-view on Sushi World (restaurants:4)") in approval_facts(view, None)


def test_one_expiry_is_not_told_twice() -> None:
    facts = dict(approval_facts(ORDER, 20 * 3600, now=NOW.timestamp()))
    assert "Answer" not in facts
    assert dict(approval_facts(ORDER | {"expires_at": None}, 40, now=NOW.timestamp()))["Answer"] == "within 40 seconds"


@pytest.mark.parametrize("view", [{}, {"reason": "x", "arguments": [1], "expires_at": "soon"}, {"expires_at": 5}])
def test_what_makes_no_sense_is_left_out(view: dict[str, Any]) -> None:
    assert approval_facts(view, None) == []


def test_the_title_counts() -> None:
    assert approval_title("approve", 1, 2) == "Approve? (1 of 2)"
    assert approval_title("", 1, 1) == "Request (1 of 1)"
    assert approval_title("deny", 1, None) == "Deny?"
    assert approval_title("deny", 2, None) == "Deny? (the second question of this turn)"
    assert approval_title("deny", 4, None) == "Deny? (the 4th question of this turn)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "already"),
        (0, "already"),
        (1, "in a second"),
        (40, "in 40 seconds"),
        (60, "in a minute"),
        (300, "in 5 minutes"),
        (3600, "in 60 minutes"),
        (7200, "in 2 hours"),
        (86_400, "in 24 hours"),
        (259_200, "in 3 days"),
        (float("inf"), "in 10000 days"),
        (float("nan"), "already"),
    ],
)
def test_a_time_to_come_is_told_as_a_person_says_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_time_without_a_zone_is_utc() -> None:
    assert seconds_left("2026-11-22T18:00:10", NOW.timestamp()) == 10
    assert seconds_left("2026-11-22T18:00:10Z", NOW.timestamp()) == 10

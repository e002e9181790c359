from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from family_food.terminal.display.moments import lasted, moment, shown_time


def test_today_is_a_time_and_any_other_day_has_its_date() -> None:
    now = datetime.now(UTC)
    assert len(shown_time(now.isoformat())) == len("12:34")
    assert len(shown_time((now - timedelta(days=3)).isoformat())) == len("2026-01-02 12:34")


@pytest.mark.parametrize("text", ["", "yesterday", None, 3, {"a": 1}])
def test_what_is_no_time_is_shown_as_nothing(text: object) -> None:
    assert shown_time(text) == ""


def test_a_time_without_a_zone_is_utc() -> None:
    assert moment("2026-01-02T03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.42, "0.4 s"), (12, "12 s"), (180, "3 min"), (7_500, "2 h"), (400_000, "5 days")]
)
def test_a_span_is_told_as_people_do(seconds: float, words: str) -> None:
    assert lasted(seconds) == words

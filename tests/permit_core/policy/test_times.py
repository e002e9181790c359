from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_core.policy.operators import TIME_TESTS, check_value, compare
from permit_core.policy.times import read_time

UNREADABLE = [
    "", "2026-9-1", "2026-02-29", "1900-02-29", "2026-13-01", "0000-01-01", "24:00", "08:60", "8:30", "08:30Z", "2026-11-22T",
    "2026-11-22T08", "2026-11-22T08:30+1:00", "2026-11-22T08:30+24:00", "2026-11-22T08:30:60", "tomorrow", "2026-11-22\n",
    "\uff12\uff10\uff12\uff16-11-22", "2026-11-22T08:30:00.0000000001",
]  # fmt: skip


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_time_satisfies_no_comparison(text: str) -> None:
    assert read_time(text) is None
    assert check_value("time", text) is not None
    for name in TIME_TESTS:
        right = [text, text] if name in {"in", "between"} else text
        assert compare(name, text, right, "time") is False
        assert compare(name, "2026-11-22", right, "time") is False


def test_a_date_that_sorts_wrongly_as_text_opens_nothing() -> None:
    assert compare("greater-than", "2026-9-1", "2026-12-01", "string") is True
    assert compare("greater-than", "2026-9-1", "2026-12-01", "time") is False


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("2026-11-22", "2026-11-23"),
        ("2026-11-22T23:30:00+02:00", "2026-11-22T22:00:00Z"),
        ("2026-11-22 08:30", "2026-11-22T08:30:00.000000001"),
        ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.5-23:59"),
        ("0001-01-01T00:00+23:59", "0001-01-01"),
        ("08:30", "08:30:01"),
    ],
)
def test_times_are_compared_as_instants(early: str, late: str) -> None:
    assert compare("less-than", early, late, "time")
    assert compare("less-than-equals", early, late, "time")
    assert compare("greater-than", late, early, "time")
    assert compare("greater-than-equals", late, early, "time")
    assert compare("not-equals", late, early, "time")
    assert compare("between", early, [early, late], "time")
    assert not compare("between", late, [early, early], "time")


def test_the_same_instant_has_many_spellings() -> None:
    spellings = ["2026-11-22", "2026-11-22T00:00", "2026-11-22t00:00:00z", "2026-11-22 01:00:00.000+01:00"]
    for text in spellings:
        assert compare("equals", text, spellings[0], "time")
        assert compare("in", text, ["soon", spellings[1]], "time")


def test_a_day_is_neither_before_nor_after_a_time_of_day() -> None:
    for operator in ("equals", "not-equals", "less-than", "greater-than-equals"):
        assert TIME_TESTS[operator]("2026-11-22", "08:30") is None
    assert TIME_TESTS["between"]("08:30", ["2026-11-22", "2026-11-23"]) is None
    assert TIME_TESTS["between"]("08:30", ["08:00"]) is None
    assert TIME_TESTS["in"]("08:30", "08:30") is None


@given(st.datetimes(), st.datetimes(), st.integers(-1439, 1439), st.integers(-1439, 1439))
def test_moments_sort_as_they_do_on_a_calendar(first: datetime, second: datetime, east: int, west: int) -> None:
    one = first.replace(tzinfo=timezone(timedelta(minutes=east)))
    two = second.replace(tzinfo=timezone(timedelta(minutes=west)))

    assert compare("less-than", one.isoformat(), two.isoformat(), "time") is (one < two)
    assert compare("equals", one.isoformat(), two.isoformat(), "time") is (one == two)


@pytest.mark.parametrize(
    ("declared", "fits", "not_fits"),
    [
        ("bool", [True, False], [1, "true", None]),
        ("number", [1, 0.5, -(2**70)], [True, "1", float("nan"), float("inf"), None]),
        ("string", ["", "x"], [1, None, ["x"]]),
        ("time", ["2026-11-22", "08:30"], ["2026-9-1", 20261122, None]),
        ("array", [[], [1]], [{}, "x", None]),
        ("object", [{}, {"a": 1}], [[], None]),
        ("object_array", [[], [{}]], [[1], {}, [{}, "x"], None]),
        ("json", [None, 1, "x", [], {}], [float("nan"), object()]),
    ],
)
def test_a_declared_type_says_which_values_it_has(declared: str, fits: list[object], not_fits: list[object]) -> None:
    for value in fits:
        assert check_value(declared, value) is None, value  # type: ignore[arg-type]
    for value in not_fits:
        assert check_value(declared, value), value  # type: ignore[arg-type]

"""What a standing yes lets through, and that nothing else passes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_core.approvals.shapes import MOST_ARGUMENTS, MOST_VALUES, Shape, checked_shape, covers, in_words
from permit_core.errors import InvalidInput

SHAPE: Shape = {
    "name": {"value": "a.txt"},
    "mode": {"values": ["soft", None, 2]},
    "count": {"from": 1, "to": 10},
}
GOOD: dict[str, Any] = {"name": "a.txt", "mode": None, "count": 10}


def test_what_fits_every_argument_is_covered() -> None:
    assert covers(SHAPE, GOOD)
    assert covers(SHAPE, {**GOOD, "mode": 2, "count": 1.5})
    assert covers({}, {})


@pytest.mark.parametrize(
    "change",
    [
        {"name": "A.txt"},
        {"name": ["a.txt"]},
        {"mode": "hard"},
        {"mode": 2.0},
        {"mode": False},
        {"count": 0},
        {"count": 10.000001},
        {"count": True},
        {"count": "5"},
        {"count": float("nan")},
        {"more": 1},
        {"more": None},
    ],
)
def test_what_is_another_value_or_type_or_is_not_named_is_not_covered(change: dict[str, Any]) -> None:
    assert not covers(SHAPE, {**GOOD, **change})


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_an_argument_that_is_missing_is_not_covered(missing: str) -> None:
    assert not covers(SHAPE, {name: value for name, value in GOOD.items() if name != missing})


@given(st.integers() | st.floats(allow_nan=False))
def test_a_range_holds_its_ends_and_what_is_between(number: float) -> None:
    assert covers({"n": {"from": -3, "to": 4.5}}, {"n": number}) is (-3 <= number <= 4.5)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ([], "a shape names at most"),
        ({f"a{n}": {"value": 1} for n in range(MOST_ARGUMENTS + 1)}, "a shape names at most"),
        ({"a": "*"}, "'a': value, values, or from and to is needed"),
        ({"a": {}}, "'a': value, values, or from and to is needed"),
        ({"a": {"pattern": ".*"}}, "'a': value, values, or from and to is needed"),
        ({"a": {"value": 1, "values": [2]}}, "'a': value, values, or from and to is needed"),
        ({"a": {"from": 1}}, "'a': value, values, or from and to is needed"),
        ({"a": {"from": 2, "to": 1}}, "'a': from and to are numbers"),
        ({"a": {"from": "a", "to": "z"}}, "'a': from and to are numbers"),
        ({"a": {"from": False, "to": True}}, "'a': from and to are numbers"),
        ({"a": {"values": []}}, f"'a': values is a list of 1 to {MOST_VALUES}"),
        ({"a": {"values": "abc"}}, "'a': values is a list"),
        ({1: {"value": 1}}, "value, values, or from and to is needed"),
    ],
)
def test_what_is_no_shape_is_refused_by_name(shape: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_shape(shape)
    assert caught.value.code == "invalid_shape"
    assert said in caught.value.message


def test_a_shape_with_a_value_that_has_no_exact_form_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_shape({"a": {"value": float("nan")}})
    assert caught.value.code == "not_canonical"


def test_a_shape_is_said_in_words() -> None:
    assert checked_shape(SHAPE) == SHAPE
    assert in_words(SHAPE) == 'count: 1 to 10; mode: "soft" or null or 2; name: "a.txt"'
    assert in_words({}) == "no arguments"

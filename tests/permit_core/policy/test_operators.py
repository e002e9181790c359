import math
from typing import Any

import pytest

from permit_core.policy.operators import OPERATORS, compare, kind_of, same

# operator, left, right, outcome: None when the comparison cannot be made.
TABLE: list[tuple[str, Any, Any, bool | None]] = [
    ("equals", 5, 5, True),
    ("equals", 5, 5.0, True),
    ("equals", 5, 6, False),
    ("equals", "a", "a", True),
    ("equals", True, True, True),
    ("equals", True, 1, None),
    ("equals", 0, False, None),
    ("equals", "5", 5, None),
    ("equals", None, None, None),
    ("equals", None, 5, None),
    ("equals", [1, 2], [1, 2], True),
    ("equals", [1, 2], [2, 1], False),
    ("equals", [1], [True], False),
    ("equals", {"a": 1}, {"a": 1}, True),
    ("equals", {"a": 1}, {"a": True}, False),
    ("equals", {"a": 1}, {"b": 1}, False),
    ("equals", math.nan, math.nan, None),
    ("not-equals", 5, 6, True),
    ("not-equals", 5, 5, False),
    ("not-equals", None, 5, None),
    ("not-equals", True, 1, None),
    ("less-than", 4, 5, True),
    ("less-than", 5, 5, False),
    ("less-than", True, 5, None),
    ("less-than", "4", 5, None),
    ("less-than", None, 5, None),
    ("less-than", math.nan, 5, None),
    ("less-than", [1], [2], None),
    ("less-than", "08:30", "17:00", True),
    ("less-than-equals", 1000, 1000, True),
    ("less-than-equals", 1000.01, 1000, False),
    ("less-than-equals", -(10**400), 0, True),
    ("greater-than", 5, 4, True),
    ("greater-than", 5, 5, False),
    ("greater-than", math.inf, 5, True),
    ("greater-than-equals", 5, 5, True),
    ("greater-than-equals", 4, 5, False),
    ("between", 5, [5, 6], True),
    ("between", 6, [5, 6], True),
    ("between", 7, [5, 6], False),
    ("between", 4, [5, 6], False),
    ("between", True, [0, 6], None),
    ("between", 5, [5], None),
    ("between", 5, ["a", "b"], None),
    ("between", "2026-11-22", ["2026-01-01", "2026-12-31"], True),
    ("contains", "cheese pizza", "pizza", True),
    ("contains", "cheese pizza", "Pizza", False),
    ("contains", ["pizza"], "pizza", None),
    ("contains", None, "pizza", None),
    ("in", "a", ["a", "b"], True),
    ("in", "c", ["a", "b"], False),
    ("in", 1, [True], False),
    ("in", None, [None], None),
    ("in", "a", "abc", None),
    ("array_contains", ["a", "b"], "a", True),
    ("array_contains", ["a", "b"], "c", False),
    ("array_contains", [True], 1, False),
    ("array_contains", "abc", "a", None),
    ("array_contains", ("a",), "a", True),
    ("array_contains", ["a"], None, None),
    ("array_subset", ["a"], ["a", "b"], True),
    ("array_subset", ["a", "c"], ["a", "b"], False),
    ("array_subset", [], ["a"], True),
    ("array_subset", None, ["a"], None),
    ("array_superset", ["a", "b"], ["a"], True),
    ("array_superset", ["a"], ["a", "b"], False),
    ("array_intersect", ["a", "c"], ["a", "b"], True),
    ("array_intersect", ["c"], ["a", "b"], False),
    ("array_intersect", [], ["a"], False),
    ("array_intersect", "a", ["a"], None),
]


@pytest.mark.parametrize(("operator", "left", "right", "outcome"), TABLE)
def test_a_comparison_holds_fails_or_cannot_be_made(operator: str, left: Any, right: Any, outcome: bool | None) -> None:
    assert OPERATORS[operator].test(left, right) is outcome
    assert compare(operator, left, right) is (outcome is True)


def test_every_operator_is_in_the_table() -> None:
    assert {row[0] for row in TABLE} == set(OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_is_missing_or_of_no_known_kind_satisfies_nothing(operator: str) -> None:
    for value in (1, "a", True, ["a"], {"a": 1}):
        assert OPERATORS[operator].test(None, value) is None
        assert OPERATORS[operator].test(value, None) is None
        assert OPERATORS[operator].test(object(), value) is None


def test_an_unknown_operator_is_an_error_and_not_false() -> None:
    with pytest.raises(ValueError, match="no operator 'approximately'"):
        compare("approximately", 1, 1)


def test_kinds_keep_truth_apart_from_numbers() -> None:
    assert [kind_of(value) for value in (True, 1, 1.5, "1", [1], {"a": 1}, None, math.nan, object())] == [
        "bool", "number", "number", "string", "array", "object", None, None, None,
    ]  # fmt: skip
    assert not same(1, True)
    assert not same([{"a": [0]}], [{"a": [False]}])

"""Values as OPA understands them."""

import json
import math
from types import MappingProxyType
from typing import Any

import pytest

from permit_core.decision.opa_values import MOST_LEVELS, plain, plain_name


@pytest.mark.parametrize(
    "value", [None, True, False, 0, -3, 2**63, 0.5, "", "é", "\0", "😀", [], {}, [None, {"a": [1]}]]
)
def test_what_json_can_say_stays_as_it_is(value: Any) -> None:
    said = plain(value)
    assert said == value
    assert type(said) is type(value)
    assert json.loads(json.dumps(said)) == value


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "\ud800", 10**2000, -(10**2000), {1}, b"x", object(), 1j]
)
def test_what_json_cannot_say_exactly_is_unknown(value: Any) -> None:
    assert plain(value) is None
    assert plain([value, 1]) == [None, 1]
    assert plain({"a": value}) == {"a": None}


def test_a_whole_float_is_said_with_all_its_digits() -> None:
    assert plain(1e23) == int(1e23) != 10**23
    assert str(plain(1e23)) == "99999999999999991611392"
    assert type(plain(1.0)) is int


def test_mappings_and_tuples_of_any_kind_are_objects_and_arrays() -> None:
    assert plain(MappingProxyType({"a": (1, 2)})) == {"a": [1, 2]}
    assert plain({1: 2, "\ud800": 3, "b": 4}) == {"b": 4}


def test_what_is_nested_without_end_is_cut_off() -> None:
    endless: list[Any] = []
    endless.append(endless)
    depth, value = 0, plain(endless)
    while value:
        depth, value = depth + 1, value[0]
    assert depth == MOST_LEVELS


def test_a_name_that_is_not_unicode_becomes_the_name_of_nothing() -> None:
    assert plain_name("3") == "3"
    assert plain_name("a\ud800") == "a\\ud800"

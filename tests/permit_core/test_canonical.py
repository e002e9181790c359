"""One digest, one effect: two sets of arguments share a digest only if no tool could tell them apart."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from permit_core.canonical import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_DIGITS,
    arguments_digest,
    canonical,
    definition_digest,
    parse_arguments,
    same_value,
)
from permit_core.errors import InvalidInput

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 2**53, 2**53 + 1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
arguments = st.dictionaries(texts, values, max_size=4)


def alike(one: Any, other: Any) -> bool:
    """Whether a tool could not tell the two apart."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return repr(one) == repr(other)


@given(arguments, arguments)
@example({"n": 1}, {"n": 1.0})
@example({"n": 1}, {"n": True})
@example({"n": 2**53}, {"n": 2**53 + 1})
@example({"n": 0.0}, {"n": -0.0})
@example({"name": "\u00e9"}, {"name": "e\u0301"})
@example({"a": []}, {"a": {}})
@example({"a": None}, {})
@example({"a": "1"}, {"a": 1})
@example({"a": 1, "b": 2}, {"b": 2, "a": 1})
def test_two_sets_of_arguments_have_one_digest_exactly_when_they_are_alike(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (arguments_digest(one) == arguments_digest(other)) is alike(one, other)
    assert same_value(one, other) is alike(one, other)


@given(arguments)
def test_canonical_arguments_are_json_that_says_the_same(given_arguments: dict[str, Any]) -> None:
    encoded = canonical(given_arguments)
    assert alike(parse_arguments(encoded), given_arguments)
    assert canonical(parse_arguments(encoded)) == encoded


@given(arguments)
def test_the_order_of_keys_is_of_no_matter(given_arguments: dict[str, Any]) -> None:
    backwards = dict(reversed(given_arguments.items()))
    assert arguments_digest(backwards) == arguments_digest(given_arguments)


def test_the_digest_of_arguments_stays_what_it_was_for_what_is_stored() -> None:
    assert canonical({"b": [1, 1.0, True, None], "a": "\u00e9\n"}) == b'{"a":"\xc3\xa9\\n","b":[1,1.0,true,null]}'
    assert arguments_digest({}) == "1c014919b2857dd8f583ba9afcc57734dcd53d52c00e215346880312d3e736a0"


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


class Word(str):
    """A string that might behave as none does."""


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"n": float("nan")}, "at 'n': not a finite number"),
        ({"n": [1, float("-inf")]}, "at 'n.1': not a finite number"),
        ({"t": "\ud800"}, "at 't': text with half a surrogate pair"),
        ({"\udfff": 1}, "text with half a surrogate pair"),
        ({"n": 10**MAX_DIGITS}, f"at 'n': a number of more than {MAX_DIGITS} digits"),
        ({1: "a"}, "a key that is not a string"),
        ({"a": {"b": (1, 2)}}, "at 'a.b': a tuple, which has no exact JSON form"),
        ({"a": b"x"}, "at 'a': a bytes, which has no exact JSON form"),
        ({"a": Word("x")}, "at 'a': a Word, which has no exact JSON form"),
        ({"a": "x" * MAX_BYTES}, f"more than {MAX_BYTES} bytes"),
        (nested(MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
    ],
)
def test_what_has_no_exact_form_is_refused_by_its_place_and_not_by_its_value(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        arguments_digest(bad)
    assert caught.value.code == "not_canonical"
    assert said in caught.value.message


def test_the_deepest_arguments_that_are_taken_have_a_digest() -> None:
    assert len(arguments_digest(nested(MAX_DEPTH))) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"path": "a", "path": "b"}', "a key that comes twice"),
        ('{"a": {"b": 1, "b": 1}}', "a key that comes twice"),
        ('{"n": NaN}', "not a finite number"),
        ('{"n": -Infinity}', "not a finite number"),
        ('{"n": 1e999}', "a number that is too large"),
        ('{"t": "\\ud800"}', "half a surrogate pair"),
        ("[1]", "not an object"),
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ('{"n": ' + "9" * 5000 + "}", "not JSON"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, f"nested deeper than {MAX_DEPTH}"),
        (" " * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
    ],
)
def test_text_that_two_readers_may_take_for_two_things_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_arguments(text)
    assert caught.value.code == "not_canonical"
    assert said in caught.value.message


def test_text_is_read_as_a_tool_gets_it() -> None:
    assert parse_arguments('{"n": 1.0, "t": "\\u00e9"}') == {"n": 1.0, "t": "\u00e9"}
    assert json.loads(canonical({"n": 2**53 + 1})) == {"n": 2**53 + 1}


def test_a_tool_that_came_to_mean_something_else_has_another_digest() -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    first = definition_digest("delete_file", "Delete a file.", schema)
    assert definition_digest("delete_file", "Delete a file.", dict(schema)) == first
    changed = [
        definition_digest("delete_files", "Delete a file.", schema),
        definition_digest("delete_file", "Delete a file, and mail it.", schema),
        definition_digest("delete_file", "Delete a file.", {**schema, "required": ["name"]}),
        definition_digest("delete_file", "Delete a file.", schema, {"type": "object"}),
        definition_digest("delete_file", "Delete a file.", schema, None, {"readOnlyHint": True}),
    ]
    assert len({first, *changed}) == 6

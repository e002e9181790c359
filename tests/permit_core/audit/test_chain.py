"""The hash chain: one text for one value, one hash for one record."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permit_core.audit.chain import GENESIS, Link, canonical, moment

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST = Link(
    environment="default",
    seq=1,
    at="2026-11-22T12:00:00.000000+00:00",
    event="tool.call",
    user="3",
    tenant="home",
    agent="assistant",
    session="s1",
    request="req_1",
    policy="abc",
    body='{"tool":"list_dishes"}',
    previous_hash=GENESIS,
    hash="",
)


def test_the_hash_is_what_the_documentation_says() -> None:
    written = (
        '[2,"default",1,"2026-11-22T12:00:00.000000+00:00","tool.call","3","home","assistant","s1","req_1","abc",'
        '"{\\"tool\\":\\"list_dishes\\"}","' + "0" * 64 + '"]'
    )
    assert FIRST.digest() == hashlib.sha256(written.encode()).hexdigest()
    assert FIRST.sealed().hash == FIRST.digest()


def test_the_hash_of_the_first_format_is_what_it_was() -> None:
    written = (
        '[1,"2026-11-22T12:00:00.000000+00:00","tool.call","3","home","{\\"tool\\":\\"list_dishes\\"}","'
        + "0" * 64
        + '"]'
    )
    assert replace(FIRST, format=1).digest() == hashlib.sha256(written.encode()).hexdigest()


def test_the_zone_a_time_is_told_in_does_not_matter() -> None:
    assert moment(NOON.astimezone(timezone(timedelta(hours=9)))) == moment(NOON) == FIRST.at


parts = st.lists(st.text(alphabet='a",[]\\', max_size=4), min_size=11, max_size=11)


@settings(max_examples=60, deadline=None)
@given(parts, parts, st.integers(1, 3), st.integers(1, 3))
def test_two_records_have_one_hash_only_if_they_are_the_same(
    one: list[str], other: list[str], first: int, second: int
) -> None:
    left, right = (Link(texts[0], seq, *texts[1:], "") for texts, seq in ((one, first), (other, second)))  # type: ignore[call-arg, arg-type]
    assert (left.digest() == right.digest()) == ((one, first) == (other, second))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": "ä\ud800\x00"}, '{"a":"\\u00e4\\ud800\\u0000","b":1}'),
        (MappingProxyType({"x": MappingProxyType({"y": (1, None, True)})}), '{"x":{"y":[1,null,true]}}'),
        ({"s": frozenset({"b", "a"}), "t": NOON}, '{"s":["a","b"],"t":"2026-11-22T12:00:00+00:00"}'),
    ],
)
def test_a_value_has_one_text(value: Mapping[str, Any], text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": object()}, {"x": b"bytes"}])
def test_what_has_no_json_form_is_refused(value: Mapping[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)

"""The comparisons a condition may use.

A comparison has three outcomes: it holds, it does not hold, or it cannot be made (None) because a side is missing or
the two are of different kinds. What cannot be made never counts as true, and negating it does not make it true either:
a missing fact must not open a door.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from permit_core.policy.schema import AttributeType
from permit_core.policy.times import Instant, read_time

Verdict = bool | None
Kind = Literal["bool", "number", "string", "array", "object"]
Operand = Literal["alike", "ordered", "text", "scalar", "list", "pair"]

KIND_OF_TYPE: Mapping[AttributeType, Kind | None] = {
    "bool": "bool",
    "number": "number",
    "string": "string",
    "time": "string",
    "array": "array",
    "object_array": "array",
    "object": "object",
    "json": None,  # any kind
}

_ANY: frozenset[AttributeType] = frozenset(KIND_OF_TYPE)
_ORDERED: frozenset[AttributeType] = frozenset({"number", "time", "json"})
_TEXT: frozenset[AttributeType] = frozenset({"string", "time", "json"})
_SCALAR: frozenset[AttributeType] = frozenset({"bool", "number", "string", "time", "json"})
_LIST: frozenset[AttributeType] = frozenset({"array", "json"})


_HASHED = "hmac:"


@dataclass(frozen=True, slots=True)
class Operator:
    """One comparison.

    Attributes:
        types: the attribute types it can be used on.
        operand: what must stand on its right side.
        test: left value, right value -> outcome. Never raises for values made of JSON.
    """

    types: frozenset[AttributeType]
    operand: Operand
    test: Callable[[Any, Any], Verdict]


class TextHash(str):
    """The hash of a text, kept in its stead: equal to that text and to a hash of it, and without any order.

    Args:
        value: the hash, as :meth:`of` makes it.
        key: the key that it is made with; whoever lacks it cannot try out which text it was.
    """

    __slots__ = ("_key",)
    _key: bytes

    def __new__(cls, value: str, key: bytes) -> TextHash:  # noqa: D102 - the class says it
        made = super().__new__(cls, value)
        made._key = key
        return made

    @classmethod
    def of(cls, text: str, key: bytes) -> TextHash:
        """The hash of ``text``; of a hash, itself."""
        if isinstance(text, TextHash):
            return text
        return cls(_HASHED + hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex(), key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str.__eq__(self, TextHash.of(other, self._key))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __reduce__(self) -> tuple[type[TextHash], tuple[str, bytes]]:
        return TextHash, (str(self), self._key)


def kind_of(value: Any) -> Kind | None:
    """The kind of a value; None for null, for NaN and for anything JSON does not have."""
    if isinstance(value, bool):  # before numbers: to Python a bool is an int
        return "bool"
    if isinstance(value, int) or (isinstance(value, float) and not math.isnan(value)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, Mapping) else None


def same(left: Any, right: Any) -> bool:
    """Equal and of the same kind, all the way down: ``True`` is not ``1``, not even inside a list."""
    kind = kind_of(left)
    if kind is None or kind != kind_of(right):
        return False
    if kind == "array":
        return len(left) == len(right) and all(map(same, left, right))
    if kind == "object":
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    return bool(left == right)


def _equals(left: Any, right: Any) -> Verdict:
    kind = kind_of(left)
    return None if kind is None or kind != kind_of(right) else same(left, right)


def _not_equals(left: Any, right: Any) -> Verdict:
    equal = _equals(left, right)
    return None if equal is None else not equal


def _ordering(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Verdict]:
    def compared(left: Any, right: Any) -> Verdict:
        kind = kind_of(left)
        if kind not in {"number", "string"} or kind != kind_of(right):
            return None
        if isinstance(left, TextHash) or isinstance(right, TextHash):
            return None
        return test(left, right)

    return compared


_at_least = _ordering(lambda left, right: left >= right)
_at_most = _ordering(lambda left, right: left <= right)


def _between(left: Any, right: Any) -> Verdict:
    if kind_of(right) != "array" or len(right) != 2:
        return None
    above, below = _at_least(left, right[0]), _at_most(left, right[1])
    return None if above is None or below is None else above and below


def _contains(left: Any, right: Any) -> Verdict:
    if kind_of(left) != "string" or kind_of(right) != "string" or isinstance(left, TextHash):
        return None
    return right in left


def _has(values: Any, wanted: Any) -> bool:
    return any(same(value, wanted) for value in values)


def _in(left: Any, right: Any) -> Verdict:
    return None if kind_of(left) is None or kind_of(right) != "array" else _has(right, left)


def _array_contains(left: Any, right: Any) -> Verdict:
    return _in(right, left)


def _arrays(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Verdict]:
    return lambda left, right: test(left, right) if kind_of(left) == kind_of(right) == "array" else None


def _timed(test: Callable[[Any, Any], Verdict]) -> Callable[[Any, Any], Verdict]:
    """The same comparison of what texts mean as times; what is no time, and a day beside a time of day, is unknown."""

    def compared(left: Any, right: Any) -> Verdict:
        first, second = _read_time(left), _read_time(right)
        if first is None or second is None or first.of_day is not second.of_day:
            return None
        return test(first.nanoseconds, second.nanoseconds)

    return compared


def _read_time(value: Any) -> Instant | None:
    return read_time(value) if isinstance(value, str) else None


def _timed_between(left: Any, right: Any) -> Verdict:
    if kind_of(right) != "array" or len(right) != 2:
        return None
    above, below = TIME_TESTS["greater-than-equals"](left, right[0]), TIME_TESTS["less-than-equals"](left, right[1])
    return None if above is None or below is None else above and below


def _timed_in(left: Any, right: Any) -> Verdict:
    if kind_of(right) != "array" or _read_time(left) is None:
        return None
    return any(TIME_TESTS["equals"](left, each) is True for each in right)


OPERATORS: Mapping[str, Operator] = {
    "equals": Operator(_ANY, "alike", _equals),
    "not-equals": Operator(_ANY, "alike", _not_equals),
    "less-than": Operator(_ORDERED, "ordered", _ordering(lambda left, right: left < right)),
    "less-than-equals": Operator(_ORDERED, "ordered", _at_most),
    "greater-than": Operator(_ORDERED, "ordered", _ordering(lambda left, right: left > right)),
    "greater-than-equals": Operator(_ORDERED, "ordered", _at_least),
    "between": Operator(_ORDERED, "pair", _between),
    "contains": Operator(_TEXT, "text", _contains),
    "in": Operator(_SCALAR, "list", _in),
    "array_contains": Operator(_LIST, "scalar", _array_contains),
    "array_subset": Operator(_LIST, "list", _arrays(lambda left, right: all(_has(right, item) for item in left))),
    "array_superset": Operator(_LIST, "list", _arrays(lambda left, right: all(_has(left, item) for item in right))),
    "array_intersect": Operator(_LIST, "list", _arrays(lambda left, right: any(_has(right, item) for item in left))),
}
"""Every comparison by its name in a policy file. The three that look into objects are in ``conditions.py``."""


TIME_TESTS: Mapping[str, Callable[[Any, Any], Verdict]] = {
    **{
        name: _timed(OPERATORS[name].test)
        for name in (
            "equals", "not-equals", "less-than", "less-than-equals", "greater-than", "greater-than-equals",
        )
    },
    "between": _timed_between,
    "in": _timed_in,
}  # fmt: skip
"""What an operator tests on attributes of type ``time``; an operator that is not here compares texts."""


def compare(operator: str, left: Any, right: Any, declared: AttributeType | None = None) -> bool:
    """Whether ``left operator right`` certainly holds: ``compare("less-than-equals", 999, 1000)``.

    A missing side (None) and sides of different kinds never hold. ``declared`` is the type of the attribute on the left:
    values of type ``time`` are compared as times.

    Raises:
        ValueError: there is no such operator.
    """
    known = OPERATORS.get(operator)
    if known is None:
        raise ValueError(f"there is no operator {operator!r}")
    test = TIME_TESTS.get(operator, known.test) if declared == "time" else known.test
    return test(left, right) is True


def check_value(declared: AttributeType, value: Any) -> str | None:
    """What should stand in an attribute of this type; None when ``value`` is of it.

    The type is the policy's, the value what somebody writes into the directory or gives a tool.
    """
    if declared == "time":
        return None if _read_time(value) is not None else _TIME_EXPECTED
    if declared == "object_array":
        fits = kind_of(value) == "array" and all(kind_of(item) == "object" for item in value)
        return None if fits else "a list of objects"
    kind = kind_of(value)
    if declared == "json":
        return None if value is None or kind is not None else "a value that JSON has"
    return None if kind == KIND_OF_TYPE[declared] and _is_finite(value) else _EXPECTED[declared]


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


_TIME_EXPECTED = "a time such as 2026-11-22, 2026-11-22T08:30:00Z or 08:30"
_EXPECTED: Mapping[AttributeType, str] = {
    "bool": "true or false",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
}

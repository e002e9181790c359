"""What a standing yes covers: a shape that fixes each argument of a tool. Pure: no input or output.

A shape gives each argument one value, a list of values, or a range of numbers. There are no patterns for text: what a
pattern lets through is found out by whoever wants it to. An argument that the shape does not name must be absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from permit_core.canonical import canonical, same_value
from permit_core.errors import InvalidInput
from permit_core.views import written_out

MOST_ARGUMENTS = 50
MOST_VALUES = 100

Shape = Mapping[str, Mapping[str, Any]]
"""Argument -> ``{"value": v}``, ``{"values": [v, ...]}`` or ``{"from": n, "to": n}`` with both ends included."""


def checked_shape(shape: Any) -> dict[str, dict[str, Any]]:
    """The shape, when it is one.

    Raises:
        InvalidInput: ``invalid_shape``, with the argument it is about; ``not_canonical``.
    """
    if not isinstance(shape, Mapping) or len(shape) > MOST_ARGUMENTS:
        raise _invalid("", f"a shape names at most {MOST_ARGUMENTS} arguments")
    checked = {}
    for name, limit in shape.items():
        if not isinstance(name, str) or not isinstance(limit, Mapping):
            raise _invalid(str(name), "value, values, or from and to is needed")
        checked[name] = _checked_limit(name, dict(limit))
    canonical(checked)
    return checked


def covers(shape: Shape, arguments: Mapping[str, Any]) -> bool:
    """Whether every argument is one that the shape lets through, and none is there that it does not name."""
    return arguments.keys() == shape.keys() and all(_allows(shape[name], value) for name, value in arguments.items())


def in_words(shape: Shape) -> str:
    """The shape on one line, for people: ``name: "a.txt" or "b.txt"; count: 1 to 10``."""
    return "; ".join(lines(shape)) or "no arguments"


def lines(shape: Shape) -> list[str]:
    """The same, an argument on each line, with nothing hidden."""
    return [f"{written_out(name)[1:-1]}: {_limit_in_words(limit)}" for name, limit in sorted(shape.items())]


def _checked_limit(name: str, limit: dict[str, Any]) -> dict[str, Any]:
    match sorted(limit):
        case ["value"]:
            return limit
        case ["values"]:
            if not isinstance(limit["values"], list) or not 1 <= len(limit["values"]) <= MOST_VALUES:
                raise _invalid(name, f"values is a list of 1 to {MOST_VALUES}")
            return limit
        case ["from", "to"]:
            low, high = limit["from"], limit["to"]
            if not (_is_number(low) and _is_number(high) and low <= high):
                raise _invalid(name, "from and to are numbers, the smaller one first")
            return limit
    raise _invalid(name, "value, values, or from and to is needed")


def _allows(limit: Mapping[str, Any], value: Any) -> bool:
    if "value" in limit:
        return same_value(limit["value"], value)
    if "values" in limit:
        return any(same_value(allowed, value) for allowed in limit["values"])
    return _is_number(value) and bool(limit["from"] <= value <= limit["to"])


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _limit_in_words(limit: Mapping[str, Any]) -> str:
    if "from" in limit:
        return f"{limit['from']} to {limit['to']}"
    values = [limit["value"]] if "value" in limit else limit["values"]
    return " or ".join(map(written_out, values))


def _invalid(name: str, what: str) -> InvalidInput:
    where = f"for the argument {ascii(name)[:100]}: " if name else ""
    return InvalidInput(
        f"That does not fix every argument: {where}{what}.",
        code="invalid_shape",
        hint='Give each argument as {"value": ...}, {"values": [...]} or {"from": number, "to": number}.',
    )

"""Arguments of a call as bytes, so that one digest means one effect. Pure: no input or output.

An approval of a call is for exactly the arguments that the tool gets: after validation, with defaults filled in. Two sets
of arguments have one digest only if no tool could tell them apart: keys are sorted, strings count byte for byte (the
composed and the decomposed form of a letter differ), numbers by value and type (1, 1.0 and true differ). Values that
have no such form are refused: a digest of a guess would approve a guess.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from permit_core.errors import InvalidInput

MAX_DEPTH = 32
"""How deep lists and objects may be nested, the arguments themselves counted."""

MAX_BYTES = 1_000_000
"""How long canonical arguments may be."""

MAX_DIGITS = 1_000
"""How many decimal digits a whole number may have."""

_ARGUMENTS = b"permit call arguments 1\n"
_DEFINITION = b"permit tool definition 1\n"
_LEAVES = (str, bool, int, float, type(None))


def canonical(arguments: Mapping[str, Any]) -> bytes:
    """The arguments as canonical JSON in UTF-8.

    Args:
        arguments: JSON values alone: dict, list, str, int, float, bool and None, no subclasses of them.

    Raises:
        InvalidInput: ``not_canonical``: something has no exact JSON form (NaN, an infinity, half a surrogate pair, a key
            that is no string, a value of another type), or all of it is too deep or too long. Names the place, never
            the value.
    """
    _check(arguments, (), 1)
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    encoded = text.encode()
    if len(encoded) > MAX_BYTES:
        _refuse((), f"more than {MAX_BYTES} bytes")
    return encoded


def parse_arguments(text: str | bytes) -> dict[str, Any]:
    """Read arguments from JSON text, refusing what other readers of the same text may take for something else.

    Raises:
        InvalidInput: ``not_canonical``: it is not one JSON object, a key comes twice, or as of :func:`canonical`.
    """
    try:
        if len(text) > MAX_BYTES:
            _refuse((), f"more than {MAX_BYTES} bytes")
        decoded = text.decode() if isinstance(text, bytes) else text
        found = json.loads(decoded, object_pairs_hook=_once_each, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        _refuse((), f"nested deeper than {MAX_DEPTH}")
    except ValueError:
        _refuse((), "not JSON")
    if not isinstance(found, dict):
        _refuse((), "not an object")
    canonical(found)
    return found


def arguments_digest(arguments: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical arguments, 64 hexadecimal digits.

    Raises:
        InvalidInput: as of :func:`canonical`.
    """
    return hashlib.sha256(_ARGUMENTS + canonical(arguments)).hexdigest()


def definition_digest(
    name: str,
    description: str,
    input_schema: Mapping[str, Any],
    output_schema: Mapping[str, Any] | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> str:
    """SHA-256 of what a tool says of itself, 64 hexadecimal digits: a tool that came to mean something else differs.

    Raises:
        InvalidInput: as of :func:`canonical`.
    """
    definition = {
        "name": name,
        "description": description,
        "input_schema": dict(input_schema),
        "output_schema": None if output_schema is None else dict(output_schema),
        "annotations": None if annotations is None else dict(annotations),
    }
    return hashlib.sha256(_DEFINITION + canonical(definition)).hexdigest()


def same_value(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same by value and type: 1, 1.0 and true are three values."""
    return canonical({"": one}) == canonical({"": other})


def _check(value: Any, place: tuple[str, ...], depth: int) -> None:
    kind = type(value)
    if kind in _LEAVES:
        _check_leaf(value, place)
    elif depth > MAX_DEPTH:
        _refuse(place, f"nested deeper than {MAX_DEPTH}")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                _refuse(place, "a key that is not a string")
            _check_leaf(key, place)
            _check(item, (*place, key), depth + 1)
    elif kind is list:
        for number, item in enumerate(value):
            _check(item, (*place, str(number)), depth + 1)
    else:
        _refuse(place, f"a {kind.__name__}, which has no exact JSON form")


def _check_leaf(value: Any, place: tuple[str, ...]) -> None:
    if type(value) is float and not math.isfinite(value):
        _refuse(place, "not a finite number")
    if type(value) is int and value.bit_length() > MAX_DIGITS * 3:
        _refuse(place, f"a number of more than {MAX_DIGITS} digits")
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            _refuse(place, "text with half a surrogate pair")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse((), "a key that comes twice")
    return found


def _no_constant(_name: str) -> NoReturn:
    _refuse((), "not a finite number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _refuse((), "a number that is too large")
    return number


def _refuse(place: tuple[str, ...], what: str) -> NoReturn:
    where = f"at {ascii('.'.join(place))[:100]}: " if place else ""
    raise InvalidInput(
        f"The arguments cannot be approved: {where}{what}.",
        code="not_canonical",
        hint="Send plain JSON values, each key once.",
    )

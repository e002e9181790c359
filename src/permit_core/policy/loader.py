"""From a policy file to a policy model, or an error that names file, line and key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from permit_core.errors import PolicyFileError
from permit_core.policy.marked_yaml import MarkedDocument, Path, read_marked
from permit_core.policy.model import PolicyModel
from permit_core.policy.references import PolicyFaults

Shape = TypeVar("Shape", bound=BaseModel)


def load_policy(path: str | FilePath) -> PolicyModel:
    """Read and validate a policy.

    Raises:
        PolicyFileError: the first thing that is wrong with the file.
    """
    return read_shape(read_marked(path), PolicyModel)


def policy_errors(path: str | FilePath) -> list[PolicyFileError]:
    """Everything that is wrong with a policy file, in the order of its lines; empty when it is valid."""
    try:
        document = read_marked(path)
    except PolicyFileError as error:
        return [error]
    try:
        PolicyModel.model_validate(document.value)
    except ValidationError as error:
        return _in_order(document, error)
    return []


def read_shape(document: MarkedDocument, shape: type[Shape]) -> Shape:
    """A document as the given closed shape.

    Raises:
        PolicyFileError: the first thing in the file that does not fit.
    """
    try:
        return shape.model_validate(document.value)
    except ValidationError as error:
        raise _in_order(document, error)[0] from None


def _in_order(document: MarkedDocument, error: ValidationError) -> list[PolicyFileError]:
    found = [each for details in error.errors() for each in _translated(document, details)]
    return sorted(found, key=lambda each: each.line or 0)


def _translated(document: MarkedDocument, details: ErrorDetails) -> Iterator[PolicyFileError]:
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, PolicyFaults):
        for fault in cause.faults:
            yield document.error(fault.path, fault.expected)
        return
    # "[key]" is pydantic's mark for "the key itself".
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    yield document.error(path, _expected(details, document, path))


def _expected(details: ErrorDetails, document: MarkedDocument, path: Path) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return "expected this key; it is missing"
    if kind == "extra_forbidden":
        return "expected only keys that the language has; this is none of them"
    if kind in {"key", "duration"}:
        return f"expected {details['msg']}"
    if kind == "literal_error":
        return f"expected {context['expected']}"
    if kind in {"too_short", "string_too_short"}:
        return "expected something that is not empty"
    if kind == "value_error":
        return f"expected {context['error']}"
    return f"{details['msg'][0].lower()}{details['msg'][1:]}; found {_kind(document, path)}"


def _kind(document: MarkedDocument, path: Path) -> str:
    value: Any = document.value
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return "something else"
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")

"""From a policy file to a policy model, or an error that names file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

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
        return _in_order(document, error, PolicyModel)
    return []


def read_shape(document: MarkedDocument, shape: type[Shape]) -> Shape:
    """A document as the given closed shape.

    Raises:
        PolicyFileError: the first thing in the file that does not fit.
    """
    try:
        return shape.model_validate(document.value)
    except ValidationError as error:
        raise _in_order(document, error, shape)[0] from None


def _in_order(document: MarkedDocument, error: ValidationError, shape: type[BaseModel]) -> list[PolicyFileError]:
    found = [each for details in error.errors() for each in _translated(document, details, shape)]
    # A misspelt key is unknown and misses under its right name: the first says more.
    return sorted(found, key=lambda each: (each.line or 0, each.expected == _EXPECTED["missing"]))


def _translated(document: MarkedDocument, details: ErrorDetails, shape: type[BaseModel]) -> Iterator[PolicyFileError]:
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, PolicyFaults):
        for fault in cause.faults:
            yield document.error(fault.path, fault.expected)
        return
    # "[key]" is pydantic's mark for "the key itself".
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    if details["type"] == "extra_forbidden":
        known = ", ".join(_fields_at(shape, path[:-1]))
        yield document.error(path, f"expected one of the keys {known}; found {path[-1]!r}")
    else:
        yield document.error(path, _expected(details))


_EXPECTED = {
    "missing": "expected this key; it is missing",
    "too_short": "expected something that is not empty",
    "string_too_short": "expected a text that is not empty",
    "string_type": "expected a text; quote a number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "frozen_set_type": "expected a list",
    "mapping_type": "expected a mapping",
    "model_type": "expected a mapping",
}


def _expected(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if "expected" in context:
        return f"expected {context['expected']}"
    return _EXPECTED.get(details["type"], f"expected {details['msg']}")


def _fields_at(shape: Any, path: Path) -> list[str]:
    """The keys that a closed shape has at ``path``."""
    for part in path:
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            shape = shape.model_fields[str(part)].annotation
        else:  # a mapping's values, a list's items
            shape = get_args(shape)[-1 if get_origin(shape) is Mapping else 0]
        if get_origin(shape) in {Union, UnionType}:  # something, or nothing
            shape = get_args(shape)[0]
    return list(shape.model_fields)

"""From a policy file to a policy model, or an error that names file, line and key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from permit_core.errors import PolicyFileError
from permit_core.policy.marked_yaml import MarkedDocument, Path, parse_marked, read_marked, read_text
from permit_core.policy.model import PolicyModel
from permit_core.policy.near import close_to
from permit_core.policy.references import PolicyFaults

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """A valid policy and what names it.

    Attributes:
        model: what decides.
        hash: the SHA-256 of the text in UTF-8, in hex.
        text: what it was read from.
        file: the file, as it was named.
    """

    model: PolicyModel
    hash: str
    text: str
    file: str


def read_policy(path: str | FilePath) -> ReadPolicy:
    """Read and validate a policy.

    Raises:
        PolicyFileError: the first thing that is wrong with the file.
    """
    return policy_of(read_text(path), str(path))


def policy_of(text: str, file: str) -> ReadPolicy:
    """A policy from its text; ``file`` is what errors call it.

    Raises:
        PolicyFileError: the first thing that is wrong with it.
    """
    document = parse_marked(text, file)
    _refuse_cut(document)
    return ReadPolicy(read_shape(document, PolicyModel), text_hash(text), text, file)


def text_hash(text: str) -> str:
    """What names a policy: the SHA-256 of its text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def load_policy(path: str | FilePath) -> PolicyModel:
    """As :func:`read_policy`, the model alone."""
    return read_policy(path).model


def policy_errors(path: str | FilePath) -> list[PolicyFileError]:
    """Everything that is wrong with a policy file, in the order of its lines; empty when it is valid."""
    try:
        document = read_marked(path)
        _refuse_cut(document)
    except PolicyFileError as error:
        return [error]
    try:
        PolicyModel.model_validate(document.value)
    except ValidationError as error:
        return _in_order(document, error, PolicyModel)
    return []


def brought_forward(text: str, file: str) -> str:
    """A policy of version 1 as one of version 2, every comment kept; one of version 2 as it is.

    Raises:
        PolicyFileError: it is no valid policy.
    """
    document = parse_marked(text, file)
    _refuse_cut(document)
    read_shape(document, PolicyModel)
    if document.value["version"] != 1:
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    place = (document.line(("version",)) or 1) - 1
    lines[place] = re.sub(r"(version[\"']?\s*:\s*)1(?![0-9])", r"\g<1>2", lines[place], count=1)
    closing = "" if document.ended else ("" if lines[-1].endswith("\n") else end) + _END + end
    forward = "".join(lines) + closing
    after = parse_marked(forward, file)
    if after.value != {**document.value, "version": 2} or not after.ended:
        raise document.error(("version",), "expected version: 1 on a line of its own, to be made 2; change it by hand")
    return forward


_END = "..."


def _refuse_cut(document: MarkedDocument) -> None:
    version = document.value.get("version") if isinstance(document.value, Mapping) else None
    if version == 2 and isinstance(version, int) and not document.ended:
        raise PolicyFileError(
            document.file,
            document.last_line,
            "",
            f"expected {_END} as the last line: a policy of version 2 ends with it, so this file may have been cut short",
        )


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
    """The errors by line. What misses where a key is unknown stands behind it: a misspelt key is both."""
    errors = error.errors()
    unknown: dict[Path, Path] = {}
    for details in errors:
        if details["type"] == "extra_forbidden":
            path = _in_document(document, details["loc"])
            unknown.setdefault(path[:-1], path)
    found: list[tuple[tuple[int, bool], PolicyFileError]] = []
    for details in errors:
        path = _in_document(document, details["loc"])
        missing = details["type"] == "missing"
        beside = unknown.get(path[:-1]) if missing else None
        for each in _translated(document, details, shape):
            line = each.line if beside is None else document.line(beside)
            found.append(((line or 0, missing), each))
    found.sort(key=lambda pair: pair[0])
    return [each for _, each in found]


def _in_document(document: MarkedDocument, place: tuple[str | int, ...]) -> Path:
    """A place in the shape as one in the document, where a list of one may stand without its brackets."""
    path: list[str | int] = []
    value: Any = document.value
    for part in place:
        if part == "[key]":  # pydantic's mark for "the key itself"
            continue
        if isinstance(part, int) and isinstance(value, Mapping):
            continue
        path.append(part)
        if isinstance(value, Mapping):
            value = value.get(str(part))
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
    return tuple(path)


def _translated(document: MarkedDocument, details: ErrorDetails, shape: type[BaseModel]) -> Iterator[PolicyFileError]:
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, PolicyFaults):
        for fault in cause.faults:
            yield document.error(_in_document(document, fault.path), fault.expected)
        return
    path = _in_document(document, details["loc"])
    if details["type"] == "extra_forbidden":
        known = _fields_at(shape, details["loc"][:-1])
        near = close_to(str(path[-1]), known)
        yield document.error(path, f"expected one of the keys {', '.join(known)}; found {path[-1]!r}{near}")
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
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
}


def _expected(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if "expected" in context:
        return f"expected {context['expected']}"
    return _EXPECTED.get(details["type"], f"expected {details['msg']}")


def _fields_at(shape: Any, path: tuple[str | int, ...]) -> list[str]:
    """The keys that a closed shape has at ``path``."""
    for part in path:
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            shape = shape.model_fields[str(part)].annotation
        else:  # a mapping's values, a list's items
            shape = get_args(shape)[-1 if get_origin(shape) is Mapping else 0]
        if get_origin(shape) in {Union, UnionType, Annotated}:  # something, or nothing
            shape = get_args(shape)[0]
    return list(shape.model_fields)

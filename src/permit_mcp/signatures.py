"""What a function really gets: arguments that came are validated by its signature, and then written as JSON values.

What is judged, shown and approved is this, and not what a client wrote: ``007`` for a number is 7.
"""

from __future__ import annotations

import dataclasses
import inspect
import ipaddress
import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, get_type_hints
from uuid import UUID

import pydantic_core
from pydantic import AnyUrl, BaseModel, RootModel, Secret, SecretBytes, SecretStr, TypeAdapter

from permit_core.errors import InvalidInput

_ONE_TEXT_EACH = (
    date, time, timedelta, Decimal, UUID, PurePath, AnyUrl, pydantic_core.Url, pydantic_core.MultiHostUrl,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Interface, ipaddress.IPv6Interface,
    ipaddress.IPv4Network, ipaddress.IPv6Network,
)  # fmt: skip
"""Types of which two different values have two different texts."""

_EXACT: Mapping[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}
"""From a value of a subclass, whatever that says of itself, to the value."""

_MAX_DEPTH = 64


@lru_cache(maxsize=1000)
def arguments_of(function: Callable[..., Any], without: frozenset[str] = frozenset()) -> TypeAdapter[dict[str, Any]]:
    """What validates arguments by a function's signature, and answers them, defaults filled in, instead of calling it.

    Args:
        function: what will be called.
        without: parameters that the server fills in itself.
    """
    real = getattr(function, "raw_function", function)
    signature = inspect.signature(real)
    taken = [parameter for name, parameter in signature.parameters.items() if name not in without]
    signature = signature.replace(parameters=taken)
    rest = next((it.name for it in taken if it.kind is inspect.Parameter.VAR_KEYWORD), None)

    def answer(*positional: Any, **named: Any) -> dict[str, Any]:
        bound = signature.bind(*positional, **named)
        bound.apply_defaults()
        found = dict(bound.arguments)
        return found if rest is None else {**found.pop(rest), **found}

    answer.__signature__ = signature  # type: ignore[attr-defined]
    hints = {name: hint for name, hint in get_type_hints(real, include_extras=True).items() if name not in without}
    answer.__annotations__ = {**hints, "return": Any}
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(answer)  # type: ignore[arg-type]  # a function is one
    return adapter


def json_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Validated arguments as JSON values, for conditions and digests.

    Nothing is left out or masked, whatever a type says of how it is written: fields that are excluded and secrets count.

    Raises:
        InvalidInput: ``not_canonical``: an argument has no JSON form of its own.
    """
    return {name: _json(value, _MAX_DEPTH) for name, value in arguments.items()}


def secret_names(schema: Mapping[str, Any]) -> Collection[str]:
    """The names in a schema, at any depth, under which it says that a password stands."""
    return frozenset(_secret_names(schema, ""))


def _secret_names(part: Any, name: str) -> Iterator[str]:
    if isinstance(part, list):
        for item in part:
            yield from _secret_names(item, name)
    elif isinstance(part, Mapping):
        if name and part.get("format") == "password":
            yield name
        for key, inner in part.items():
            if key in {"properties", "$defs"} and isinstance(inner, Mapping):
                for inner_name, inner_part in inner.items():
                    yield from _secret_names(inner_part, inner_name if key == "properties" else "")
            elif isinstance(inner, Mapping | list):
                yield from _secret_names(inner, name)


def _json(value: Any, depth: int) -> Any:
    if value is None or type(value) in {str, bool, int, float}:
        return value
    if depth <= 0:
        raise _no_form()
    parts = _parts(value)
    if parts is not None:
        return _object(parts, depth - 1)
    match value:
        case list() | tuple() | deque():
            return [_json(item, depth - 1) for item in value]
        case set() | frozenset():
            return sorted((_json(item, depth - 1) for item in value), key=_written)
    return _json(_plain(value), depth - 1)


def _parts(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """What an object has under which key; None for what is no object."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, BaseModel) and not isinstance(value, RootModel):
        return _fields(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return None


def _plain(value: Any) -> Any:
    """A single value as a simpler one."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return value.get_secret_value()
    if isinstance(value, RootModel):
        return value.root
    for kind, exact in _EXACT.items():
        if isinstance(value, kind):
            return exact(value)
    try:
        if isinstance(value, bytes | bytearray):
            return bytes(value).decode()
    except UnicodeDecodeError:
        raise _no_form() from None
    if isinstance(value, _ONE_TEXT_EACH):
        return pydantic_core.to_jsonable_python(value)
    raise _no_form()


def _fields(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Every field under the name that the schema has for it, and what came besides."""
    for name, field in type(model).model_fields.items():
        alias = field.validation_alias
        yield (alias if isinstance(alias, str) else field.alias or name), getattr(model, name)
    yield from (model.model_extra or {}).items()


def _object(pairs: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        name = key if type(key) is str else _json(key, depth - 1)
        name = name if isinstance(name, str) else _written(name)
        if name in found:
            raise _no_form()
        found[name] = _json(value, depth - 1)
    return found


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _no_form() -> InvalidInput:
    return InvalidInput("An argument has no JSON form, so nobody can be asked about it.", code="not_canonical")

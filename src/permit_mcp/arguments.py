"""What is wrong with a call's arguments, in words a model can act on, and without repeating what it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from permit_core.errors import InvalidInput
from permit_core.views import plain

MAX_COMPLAINTS = 5
MAX_NAMED = 20
MAX_WORDS = 300
MAX_DEPTH = 4

Schema = Mapping[str, Any]


def invalid_arguments(
    schema: Schema, arguments: Mapping[str, Any], wrong: Iterable[Sequence[str | int]] = ()
) -> InvalidInput:
    """The error for arguments that do not fit.

    Args:
        schema: the tool's input schema.
        arguments: what came.
        wrong: where the server's own validation found something, as paths into ``arguments``. It parses more than the
            schema says (text that holds JSON), so it can refuse what the schema takes.
    """
    found = complaints(schema, arguments, wrong)
    return InvalidInput(
        f"Wrong arguments: {'; '.join(found)}." if found else "Wrong arguments.",
        code="invalid_arguments",
        hint="Call the tool again with arguments as its schema describes them.",
    )


def complaints(schema: Schema, arguments: Mapping[str, Any], wrong: Iterable[Sequence[str | int]] = ()) -> list[str]:
    """What is wrong, one sentence for each place, at most :data:`MAX_COMPLAINTS`."""
    # Only for a call that failed: the import is not cheap, and a process of ours should start fast.
    from jsonschema import Draft202012Validator

    found: dict[str, str] = {}
    for error in Draft202012Validator(dict(schema)).iter_errors(dict(arguments)):
        path = list(error.absolute_path)
        if error.validator == "required":
            missing = (name for name in error.validator_value if name not in (error.instance or ()))
            found |= {_place([*path, name]): f"{_place([*path, name])} is missing" for name in missing}
        else:
            _add(found, schema, arguments, path)
    # A place is named once: where the schema has said what is wrong, the server's validation adds nothing.
    named = {text.partition(".")[0] for text in found}
    for place in wrong:
        if place and plain(str(place[0])) not in named:
            _add(found, schema, arguments, place)
    return [plain(text)[: MAX_WORDS * 2] for text in found.values()][:MAX_COMPLAINTS]


def _add(found: dict[str, str], schema: Schema, arguments: Mapping[str, Any], path: Sequence[str | int]) -> None:
    value: Any = arguments
    part: Schema = schema
    walked: list[str | int] = []
    for step in path:
        inner = _inner(schema, part, step)
        if inner is None or not _has(value, step):
            break
        value, part = value[step], inner
        walked.append(step)
    if not walked:
        if path:
            found.setdefault(_place(path[:1]), f"{_place(path[:1])} is missing")
        return
    place = _place(walked)
    found.setdefault(place, f"{place} must be {allowed(part, schema)}; {came(value)} came")


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)


def _inner(root: Schema, part: Schema, step: str | int) -> Schema | None:
    """The schema of one property or item; None where the schema does not say, or a union would have to be guessed."""
    part = _resolved(part, root)
    if isinstance(step, int):
        return part.get("items") if isinstance(part.get("items"), Mapping) else None
    inner = part.get("properties", {}).get(step)
    if inner is None and isinstance(part.get("additionalProperties"), Mapping):
        inner = part["additionalProperties"]
    return inner if isinstance(inner, Mapping) else None


def _resolved(part: Schema, root: Schema) -> Schema:
    for _ in range(MAX_DEPTH):
        target = part.get("$ref")
        if not isinstance(target, str) or not target.startswith("#/$defs/"):
            break
        part = root.get("$defs", {}).get(target.removeprefix("#/$defs/"), {})
    return part


def allowed(part: Schema, root: Schema, depth: int = MAX_DEPTH) -> str:
    """What a schema takes, in words."""
    part = _resolved(part, root)
    kind = part.get("type")
    union = (
        part.get("anyOf")
        or part.get("oneOf")
        or ([{**part, "type": one} for one in kind] if isinstance(kind, list) else None)
    )
    alone = part.get("allOf")
    if depth <= 0:
        words = "as the schema says"
    elif "const" in part:
        words = f"exactly {_shown(part['const'])}"
    elif isinstance(part.get("enum"), list):
        values = [_shown(value) for value in part["enum"][:MAX_NAMED]]
        more = len(part["enum"]) - len(values)
        words = "one of " + ", ".join(values) + (f" and {more} more" if more > 0 else "")
    elif isinstance(union, list):
        words = " or ".join(dict.fromkeys(allowed(member, root, depth - 1) for member in union))
    elif isinstance(alone, list) and len(alone) == 1:
        words = allowed(alone[0], root, depth - 1)
    else:
        words = _of_type(kind, part, root, depth)
    return words


def _of_type(kind: Any, part: Schema, root: Schema, depth: int) -> str:
    match kind:
        case "string":
            size = _range(part.get("minLength"), part.get("maxLength"), "character")
            shape = f" in the format {part['format']}" if "format" in part else ""
            words = "text" + (f" of {size}" if size else "") + shape + _pattern(part)
        case "integer" | "number":
            words = ("a whole number" if kind == "integer" else "a number") + _bounds(part)
        case "array":
            size = _range(part.get("minItems"), part.get("maxItems"), "item")
            items = part.get("items")
            of_what = f", each {allowed(items, root, depth - 1)}" if isinstance(items, Mapping) and items else ""
            words = "a list" + (f" of {size}" if size else "") + of_what
        case "object":
            names = ", ".join(list(part.get("properties", {}))[:MAX_NAMED])
            words = "an object" + (f" with {names}" if names else "")
        case _:
            words = {"boolean": "true or false", "null": "null"}.get(str(kind), "as the schema says")
    return words


def _pattern(part: Schema) -> str:
    return f" that fits the pattern {str(part['pattern'])[:100]}" if "pattern" in part else ""


def _bounds(part: Schema) -> str:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
        "multipleOf": "a multiple of",
    }
    said = [f"{word} {part[name]}" for name, word in words.items() if name in part]
    return f", {' and '.join(said)}" if said else ""


def _range(least: Any, most: Any, unit: str) -> str:
    if most is None:
        return f"at least {_many(least, unit)}" if least else ""
    if not least:
        return f"at most {_many(most, unit)}"
    return _many(most, unit) if least == most else f"{least} to {_many(most, unit)}"


def _many(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def came(value: Any) -> str:
    """The kind of a value, never the value."""
    match value:
        case str():
            inside = _inside(value)
            words = f"text that holds {inside}" if inside else f"text of {_many(len(value), 'character')}"
        case list():
            words = f"a list of {_many(len(value), 'item')}" if value else "an empty list"
        case dict():
            words = "an object"
        case _:
            kinds = {type(None): "null", bool: "true or false", int: "a whole number", float: "a number"}
            words = kinds.get(type(value), "something else")
    return words


def _inside(text: str) -> str:
    """What JSON stands in a text, where servers would take it for that; empty for plain text."""
    if text[:1] not in ("{", "[", "n"):
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return came(value) if value is None or isinstance(value, list | dict) else ""


def _shown(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))[:100]


def _place(path: Sequence[str | int]) -> str:
    return plain(".".join(str(step) for step in path))[:100]

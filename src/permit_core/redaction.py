"""Making tool arguments fit for the audit log: no secret, nothing endless, nothing unseen."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from permit_core.views import plain

MASK = "[redacted]"
MAX_TEXT = 500
MAX_ITEMS = 50
MAX_DEPTH = 6
MAX_KEY = 100
_MAX_NUMBER = 2**63

_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|authorization|cookie|credential|api_?key|private_?key|signing_?key|access_?key"
)
# A bearer header, or a signed JSON Web Token, inside a longer text.
_SECRET_TEXT = re.compile(r"(?i:\bbearer\s+)\S+|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")


def redact(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that may be remembered.

    Values under a name that speaks of a secret (password, token, secret, key, authorization, ...) are masked, as are
    bearer tokens within texts. Texts are one visible line of at most ``MAX_TEXT`` characters, containers have at most
    ``MAX_ITEMS`` items and ``MAX_DEPTH`` levels. What has no JSON form is named by its type.
    """
    return _mapping(arguments, MAX_DEPTH)


def _mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    kept = list(values.items())[:MAX_ITEMS]
    clean = {_text(str(name), MAX_KEY): MASK if _is_secret(str(name)) else _value(item, depth) for name, item in kept}
    if len(values) > len(kept):
        clean["..."] = f"{len(values) - len(kept)} more"
    return clean


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, MAX_TEXT)
    if value is None or isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, Mapping | list | tuple):
        return _container(value, depth - 1)
    return f"[{type(value).__name__}]"


def _number(value: float | None) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not -_MAX_NUMBER <= value < _MAX_NUMBER:
        return "[huge number]"
    return value


def _container(value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
    if depth <= 0:
        return "[nested too deeply]"
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    items = [_value(item, depth) for item in value[:MAX_ITEMS]]
    return items if len(value) <= MAX_ITEMS else [*items, f"{len(value) - MAX_ITEMS} more"]


def _text(text: str, longest: int) -> str:
    """Cut first: cleaning something endless is work without an end."""
    line = _SECRET_TEXT.sub(MASK, plain(text[: longest * 2]))
    line = line.encode("utf-8", "replace").decode()
    return line if len(line) <= longest and len(text) <= longest * 2 else f"{line[:longest]}…"


def _is_secret(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    return words == "key" or _SECRET_NAME.search(words) is not None

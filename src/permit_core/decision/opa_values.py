"""Values as OPA understands them: what JSON cannot say exactly becomes null, which in a condition is unknown.

Unknown never makes a condition true, so what cannot be said can only take permissions away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MOST_LEVELS = 64
"""How deep lists and objects may stand in each other; what is deeper is unknown."""

_MOST_BITS = 4096


def plain(value: Any, levels: int = MOST_LEVELS) -> Any:
    """The value for JSON.

    Null stands for what JSON does not have, for infinity, for a text that is not Unicode (a lone surrogate), and for
    numbers of more than a thousand digits. Whole floats become integers: OPA compares numbers by their digits, and those
    of ``1e23`` are not the digits of that float.
    """
    match value:
        case bool():  # before numbers: to Python a bool is an int
            return value
        case int() | float():
            return _number(value)
        case str() if _is_unicode(value):
            return str(value)
        case Mapping() if levels:
            names = [name for name in value if isinstance(name, str) and _is_unicode(name)]
            return {str(name): plain(value[name], levels - 1) for name in names}
        case list() | tuple() if levels:
            return [plain(item, levels - 1) for item in value]
    return None


def _number(value: float) -> int | float | None:
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MOST_BITS else None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else float(value)


def plain_name(name: str) -> str:
    """A key as it is, or, when it is not Unicode, as a text that is no key of anything."""
    return name if _is_unicode(name) else name.encode("utf-8", "backslashreplace").decode()


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)

"""Arguments of a tool call as a language model wrote them: JSON, if it managed.

Small models often do not. Such a call is kept, with one argument that no tool has and whose name says what was wrong:
every tool refuses an argument it did not declare, the model reads the refusal, and its next try is usually right.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

NOT_JSON = "arguments_were_not_a_json_object"
"""The argument under which the start of the unreadable text is found."""

_KEPT = 500


def read_arguments(text: str) -> dict[str, Any]:
    """The arguments, or ``{NOT_JSON: text}``. No text at all means no arguments."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_refuse)
        # A lone surrogate or a number of ten thousand digits would be somebody else's crash later.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        value = text
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    return {NOT_JSON: text[:_KEPT].encode(errors="replace").decode()}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

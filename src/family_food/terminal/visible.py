"""What of a text may reach a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# C0 and C1 controls but the newline; what reorders, hides or carries text that nobody sees; blanks that pass for letters;
# halves of surrogate pairs and code points that are no characters. The same as permit_core.views, which is not imported
# here because the client starts without the rest of the project.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
# More marks on one letter than any language writes climb over the lines around it.
_PILE = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def visible(text: object) -> str:
    """The text without control characters; newlines stay, tabs become spaces. Anything but text becomes empty."""
    if not isinstance(text, str):
        return ""
    if text.isascii() and text.isprintable():  # most of what is ever shown
        return text
    return _PILE.sub(r"\1", _UNSEEN.sub("", text.replace("\t", " ")))


def sendable(text: str) -> str:
    """The text as UTF-8 can say it: a question mark for each half of a surrogate pair, and so for a byte that was none."""
    return text.encode("utf-8", "replace").decode()


def one_line(text: object) -> str:
    """The text as one line of visible characters."""
    if not isinstance(text, str):
        return ""
    return " ".join(visible(re.sub(r"\s+", " ", text)).split())


def with_hint(frame: Mapping[str, Any]) -> str:
    """What an ``error`` frame says, and its hint unless that says the same again."""
    content, hint = one_line(frame.get("content")), one_line(frame.get("hint"))
    return f"{content} {hint}".strip() if hint.lower() not in content.lower() else content


def quoted(text: object) -> str:
    """Words of a person as one line in quotation marks that they cannot close."""
    return '"' + one_line(text).replace('"', "'") + '"'

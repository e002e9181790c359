"""What of a text may reach a terminal."""

from __future__ import annotations

import re

# C0 and C1 controls but the newline, what reorders or hides text, and halves of surrogate pairs.
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: object) -> str:
    """The text without control characters; newlines stay, tabs become spaces. Anything but text becomes empty."""
    return _UNSEEN.sub("", text.replace("\t", " ")) if isinstance(text, str) else ""


def one_line(text: object) -> str:
    """The text as one line of visible characters."""
    if not isinstance(text, str):
        return ""
    return " ".join(_UNSEEN.sub("", re.sub(r"\s+", " ", text)).split())

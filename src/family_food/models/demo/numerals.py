"""Numbers as people type them."""

from __future__ import annotations

import re

_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
CARDINAL = r"(?:\d{1,2}|" + "|".join(_CARDINALS) + ")"
_ORDINAL = r"(?:\d{1,3}(?:st|nd|rd|th)|" + "|".join(_ORDINALS) + "|last)"
# "2", "#2", "number two", "no. 2", "the second (one)"; a price (22.99) is not a number of a list.
POSITION = re.compile(
    rf"(?<![\w.'])(?:#\s*(\d{{1,3}})|(?:number|no\.?|nr\.?)\s*({CARDINAL})|({_ORDINAL})|(\d{{1,3}}))(?![\w'%]|[.,]\d)"
    r"(?:\s+(?:one|request)\b)?",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?:the\s+|option\s+)?(?:{CARDINAL}|{POSITION.pattern})", re.IGNORECASE)


def number(word: str) -> int:
    """The value of a cardinal or ordinal, in digits or words; -1 for the last one."""
    lowered = word.casefold()
    for words in (_CARDINALS, _ORDINALS):
        if lowered in words:
            return words.index(lowered) + 1
    return -1 if lowered == "last" else int(re.match(r"\d+", lowered)[0]) if lowered[:1].isdigit() else 0  # type: ignore[index]


def positions(text: str) -> tuple[tuple[int, ...], str]:
    """All positions named in ``text``, and the text without them."""
    found = tuple(number(next(group for group in match.groups() if group)) for match in POSITION.finditer(text))
    return found, POSITION.sub(" ", text)


def bare_position(text: str) -> int | None:
    """The position when the text is nothing but one: "2", "the second one"."""
    match = _BARE.fullmatch(text.strip())
    if match is None:
        return None
    named = next((group for group in match.groups() if group), None)
    return number(named or re.sub(r"(?i)^(?:the|option)\s+", "", text.strip()))

"""Finding what somebody means by a name as people type it: any case, a part of it, a typo."""

from __future__ import annotations

import re
from collections.abc import Mapping

CLOSE = 75.0
"""Similarity (0 to 100) from which a word is taken for another one, mistyped."""
RUN_TOGETHER = 90.0
"""Similarity from which a whole name is taken for another; it covers words run together or apart."""
CLEARLY = 5.0
"""By how much the best must beat the second best to be what was meant."""


def find(text: str, names: Mapping[str, str]) -> list[str]:
    """The keys whose names ``text`` can mean: none, the one, or several between which somebody must choose.

    An exact key wins over an exact name, that over names that contain all words of the text, and those over names
    that look alike. Pure.

    Args:
        text: what was typed.
        names: key -> name.
    """
    if text in names:
        return [text]
    wanted = _words(text)
    if not wanted:
        return []
    by_key = {key: _words(name) for key, name in names.items()}
    exact = [key for key, words in by_key.items() if words == wanted]
    if exact:
        return exact
    within = [
        key for key, words in by_key.items() if all(any(each.startswith(word) for each in words) for word in wanted)
    ]
    return within or _alike(wanted, by_key)


def _alike(wanted: list[str], names: Mapping[str, list[str]]) -> list[str]:
    # A process that serves tools imports this only when somebody mistypes.
    from rapidfuzz.fuzz import ratio

    scores: dict[str, float] = {}
    for key, words in names.items():
        whole = ratio("".join(wanted), "".join(words))
        # Every word typed must look like some word of the name: "veggie pizza" is no slip of "Cheese Pizza".
        each = min(max((ratio(word, other) for other in words), default=0.0) for word in wanted)
        if each >= CLOSE or whole >= RUN_TOGETHER:
            scores[key] = max(each, whole)
    best = max(scores.values(), default=0.0)
    return [key for key, score in scores.items() if score > best - CLEARLY]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())

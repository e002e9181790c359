"""Finding what somebody means by a name as people type it: any case, a part of it, a typo."""

from __future__ import annotations

import re
from collections.abc import Mapping

CLOSE = 78.0
"""Similarity (0 to 100) from which a name is taken for a mistyped one."""
CLEARLY = 8.0
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
    return within or _alike(" ".join(wanted), {key: " ".join(words) for key, words in by_key.items()})


def _alike(text: str, names: Mapping[str, str]) -> list[str]:
    # A process that serves tools imports this only when somebody mistypes.
    from rapidfuzz import fuzz, process

    found = process.extract(text, names, scorer=fuzz.ratio, score_cutoff=CLOSE, limit=5)
    if not found:
        # One word of a longer name, mistyped: "piza" for "Cheese Pizza" and "Veggie Pizza".
        found = process.extract(text, names, scorer=fuzz.partial_ratio, score_cutoff=CLOSE, limit=5)
    return [key for _, score, key in found if score > found[0][1] - CLEARLY]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())

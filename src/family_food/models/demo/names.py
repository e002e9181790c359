"""Names as people type them: partial, plural, misspelt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

T = TypeVar("T")

_WORD = re.compile(r"[^\W_]+(?:'s\b)?")
# fmt: off
_EMPTY_WORDS = frozenset({
    "a", "an", "the", "some", "any", "of", "one", "ones", "my", "our", "your", "me", "us", "i", "it", "that", "this",
    "these", "those", "please", "dish", "dishes", "meal", "food", "restaurant", "place", "places", "with", "and", "for",
    "from", "at", "in", "on", "to", "menu", "portion", "plate", "order", "another", "more", "uh", "uhh", "um", "umm",
    "first", "then", "too", "just", "instead", "maybe", "also",
})
# fmt: on
_ALIKE = 0.75  # two words are taken for the same one
_ENOUGH = 0.7  # a phrase names a thing
_NEAR = 0.35  # worth offering
_APART = 0.06  # closer scores than this do not tell two things apart
_LONGEST_PHRASE = 120


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What a phrase may name: ``sure`` in order of likeness (more than one: ambiguous), ``near`` worth offering."""

    sure: list[T]
    near: list[T]


def tokens(text: str) -> list[str]:
    """The telling words of a phrase, each in one form for singular, plural and possessive; all when none tells."""
    words = [_stem(word) for word in _WORD.findall(text[:_LONGEST_PHRASE].casefold())]
    return [word for word in words if word not in _EMPTY_WORDS] or words


def alike(left: str, right: str) -> float:
    """How far two words are the same, 0 to 1; 0 when they are plainly different."""
    if left == right:
        return 1.0
    if len(left) >= 3 and right.startswith(left):
        return 0.9
    if min(len(left), len(right)) < 4:
        return 0.0
    likeness = max(fuzz.ratio(left, right) / 100, OSA.normalized_similarity(left, right))
    return likeness if likeness >= _ALIKE else 0.0


def score(phrase: str, name: str) -> float:
    """How well ``phrase`` names ``name``, 0 to 1."""
    said, called = tokens(phrase), tokens(name)
    if not said or not called:
        return 0.0
    if said == called:
        return 1.0
    spoken = sum(max(alike(word, other) for other in called) for word in said) / len(said)
    covered = sum(max(alike(word, other) for word in said) for other in called) / len(called)
    whole = fuzz.ratio("".join(said), "".join(called)) / 100
    return max(0.8 * spoken + 0.2 * covered, 0.95 * whole if whole >= 0.85 else 0.0)


def find(phrase: str, things: Iterable[T], name: Callable[[T], str]) -> Found[T]:
    """The things that ``phrase`` names, and those it nearly names."""
    ranked = sorted(((score(phrase, name(thing)), place, thing) for place, thing in enumerate(things)), key=_by_score)
    if not ranked or ranked[0][0] < _ENOUGH:
        return Found([], [thing for value, _, thing in ranked if value >= _NEAR][:3])
    best = ranked[0][0]
    return Found([thing for value, _, thing in ranked if best - value <= _APART], [])


def names(phrase: str, *called: str) -> bool:
    """The phrase names something that is called so, or so."""
    return bool(tokens(phrase)) and any(score(phrase, name) >= _ENOUGH for name in called)


def shares_word(phrase: str, name: str) -> bool:
    """A telling word of ``phrase`` stands, well spelt or nearly, in ``name``."""
    return any(alike(word, other) for word in tokens(phrase) for other in tokens(name))


def mentions_all(selector: str, label: Sequence[str]) -> bool:
    """Every telling word of ``selector`` stands, well spelt or nearly, among the words of ``label``."""
    known = [token for part in label for token in tokens(part)]
    return all(any(alike(word, other) for other in known) for word in tokens(selector))


def _by_score(entry: tuple[float, int, T]) -> tuple[float, int]:
    return (-entry[0], entry[1])


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word

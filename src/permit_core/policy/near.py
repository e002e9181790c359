"""What somebody may have meant who wrote a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def close_to(written: str, known: Iterable[str]) -> str:
    """``" (did you mean 'publish'?)"``, or nothing when no known name is near."""
    near = get_close_matches(written, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""

"""What somebody may have meant who wrote a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMES = 10
_LOOKED_AT = 2_000  # comparing takes long, and a longer list is not read


def close_to(written: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """``" (did you mean 'publish'?)"``, or nothing when no known name is near."""
    near = get_close_matches(written, list(known)[:_LOOKED_AT], n=1, cutoff=cutoff)
    return f" (did you mean {near[0]!r}?)" if near else ""


def listed(written: str, known: Iterable[str]) -> str:
    """``"there are publish, read"``, the near ones first, at most ten; or that there is none."""
    names = list(dict.fromkeys(known))
    if not names:
        return "there is none"
    near = get_close_matches(written, names[:_LOOKED_AT], n=MOST_NAMES)
    shown = [*near, *(name for name in names if name not in near)][:MOST_NAMES]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(shown)}{more}"

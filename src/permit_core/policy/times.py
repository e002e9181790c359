"""Times as attributes hold them: a day, a moment, or a time of day, compared as what they mean and not as texts."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

_DAY = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
_OFFSET = r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_TIME = re.compile(rf"(?:{_DAY}(?:[Tt ]{_CLOCK}{_OFFSET})?|{_CLOCK.replace('?P<', '?P<only_')})", re.ASCII)
_DAY_SECONDS = 86_400


class Instant(NamedTuple):
    """A point in time.

    Attributes:
        of_day: whether it is a time of day, which is before or after no day.
        nanoseconds: since 1 January of the year 1 in UTC, or since midnight.
    """

    of_day: bool
    nanoseconds: int


def read_time(text: str) -> Instant | None:
    """The instant that a text means; None when it means none.

    ``2026-11-22`` is midnight in UTC, ``2026-11-22T08:30:00.5+01:00`` a moment (in UTC where no offset is given; a space
    may stand for the T, seconds may be left out), ``08:30`` a time of day.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    if parts["year"] is None:
        clock = _clock(*(parts[f"only_{name}"] for name in ("hour", "minute", "second", "fraction")))
        return None if clock is None else Instant(True, clock)
    try:
        days = date(int(parts["year"]), int(parts["month"]), int(parts["day"])).toordinal() - 1
    except ValueError:
        return None
    clock, offset = (
        _clock(*(parts[name] for name in ("hour", "minute", "second", "fraction"))),
        _offset(parts["offset"]),
    )
    if clock is None or offset is None:
        return None
    return Instant(False, (days * _DAY_SECONDS - offset) * 1_000_000_000 + clock)


def _clock(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> int | None:
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def _offset(text: str | None) -> int | None:
    if text is None or text in "Zz":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-60 if text[0] == "-" else 60)

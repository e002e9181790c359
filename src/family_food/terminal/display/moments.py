"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: object) -> datetime | None:
    """A time of the server's, which are ISO 8601; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def shown_time(text: object) -> str:
    """Day and time here, the day left out when it is today; empty when there is no time."""
    read = moment(text)
    if read is None:
        return ""
    try:
        here = read.astimezone()
    except (OverflowError, ValueError, OSError):  # the first or the last day there is, in another zone
        return ""
    today = datetime.now().astimezone().date()
    return here.strftime("%H:%M") if here.date() == today else here.strftime("%Y-%m-%d %H:%M")


def lasted(seconds: float) -> str:
    """A time span: ``0.4 s``, ``12 s``, ``3 min``, ``2 h``, ``5 days``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"

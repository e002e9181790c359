"""What can go wrong with Permit.io, in our errors: what its official SDK and HTTP raise ends here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from permit_core.errors import Unavailable

LONGEST_RETRY_AFTER = 3600.0
MOST_SAID = 300
"""So many characters of what Permit.io says was wrong are kept."""

_SENTENCES = {
    "permit_unreachable": ("Permit.io does not answer.", "Try again in a moment."),
    "permit_refused": ("Permit.io does not accept this program's key for that.", "Whoever runs this has to look."),
    "permit_busy": ("Permit.io is asked too much at the moment.", "Try again in a moment."),
    "permit_nonsense": ("Permit.io gave an answer that makes no sense.", "Whoever runs this has to look."),
    "permit_rejected": ("Permit.io did not take this.", "Whoever runs this has to look."),
}
_PASSING = {408, 429, 502, 503, 504}


class PermitFault(Unavailable):
    """Permit.io could not be used. What is shown to people names no address and no key.

    Args:
        code: ``permit_unreachable``, ``permit_refused`` (401, 403, a key that cannot be sent), ``permit_busy`` (429),
            ``permit_nonsense`` or ``permit_rejected`` (every other 4xx).
        about: what was asked of whom, for the log.
        status: the HTTP status, 0 when there was no answer.
        passing: whether the same call may well succeed in a moment.
        retry_after: seconds after which it may, when the answer says so.
    """

    def __init__(
        self, code: str, about: str, *, status: int = 0, passing: bool = False, retry_after: float | None = None
    ) -> None:
        message, hint = _SENTENCES[code]
        super().__init__(message, code=code, hint=hint)
        self.about, self.status, self.passing, self.retry_after = about, status, passing, retry_after

    def __str__(self) -> str:
        return f"{self.message} ({self.about})"


@contextmanager
def during(step: str, remedy: str = "", again: str = "") -> Iterator[None]:
    """Let a fault in the body say what was being done.

    Args:
        step: what that is, for the log and for whoever runs this.
        remedy: what to do when Permit.io does not take it; empty leaves the hint as it is.
        again: what to do after every other fault; likewise.
    """
    try:
        yield
    except PermitFault as fault:
        fault.about = f"{step}: {fault.about}"
        fault.hint = (remedy if fault.code in {"permit_rejected", "permit_refused"} else again) or fault.hint
        raise


def unreachable(about: str) -> PermitFault:
    """No answer, or none in time."""
    return PermitFault("permit_unreachable", about, passing=True)


def unsendable(about: str) -> PermitFault:
    """What authorises a call cannot stand in a header, so that nothing was sent."""
    return PermitFault("permit_refused", about)


def nonsense(about: str) -> PermitFault:
    """An answer that is not one."""
    return PermitFault("permit_nonsense", about)


def of_status(status: int, retry_after: str | None, about: str, said: str) -> PermitFault:
    """An answer whose status is not a success; ``said`` is what :func:`problem_of` finds in it."""
    code = "permit_unreachable"
    if status in {401, 403}:
        code = "permit_refused"
    elif status == 429:
        code = "permit_busy"
    elif status < 500:
        code = "permit_rejected"
    return PermitFault(
        code,
        f"{about}: {status}{': ' if said else ''}{said}",
        status=status,
        passing=status in _PASSING,
        retry_after=_seconds(retry_after),
    )


def of_sdk(error: Exception, about: str) -> PermitFault | None:
    """What the SDK raised; None for what is no fault of Permit.io's."""
    from aiohttp import ContentTypeError
    from permit.exceptions import PermitApiError, PermitConnectionError, PermitContextError
    from pydantic.v1 import ValidationError

    match error:
        case PermitApiError():
            retry_after = error.response.headers.get("Retry-After")
            return of_status(error.status_code, retry_after, about, problem_of(error.details))
        case PermitConnectionError(original_error=ContentTypeError()):
            return nonsense(about)
        case PermitConnectionError() | TimeoutError():
            return unreachable(about)
        case PermitContextError():
            return PermitFault("permit_refused", f"{about}: the key is not one of this environment", status=403)
        case ValidationError() | ValueError():
            return nonsense(f"{about}: {type(error).__name__}")
    return None


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in either of its forms, seconds or a date; what is neither counts as nothing said."""
    try:
        value = float(text or "")
    except ValueError:
        value = _until(text or "")
    return min(value, LONGEST_RETRY_AFTER) if math.isfinite(value) and value >= 0 else None


def _until(date: str) -> float:
    """Seconds until an HTTP date, 0 when it is over; not a number when it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def problem_of(body: Any) -> str:
    """What an error of the API says was wrong, for the log: one line of visible characters, and not a long one."""
    if not isinstance(body, dict):
        return ""
    detail = body.get("detail")
    if isinstance(detail, list):
        said = [_invalid(each) for each in detail if isinstance(each, dict)]
    else:
        said = [each for each in (body.get("message"), detail) if isinstance(each, str)]
    return _line("; ".join(each for each in said if each))[:MOST_SAID]


def _invalid(problem: dict[str, Any]) -> str:
    """One problem of a body, as FastAPI says it: where, and what."""
    said, place = problem.get("msg"), problem.get("loc")
    if not isinstance(said, str):
        return ""
    named = [str(part) for part in place if isinstance(part, str | int)] if isinstance(place, list) else []
    return f"{'.'.join(named)}: {said}" if named else said


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())

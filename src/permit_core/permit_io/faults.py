"""What can go wrong with Permit.io, in our errors: what its official SDK and HTTP raise ends here."""

from __future__ import annotations

import math
from typing import Any

from permit_core.errors import Unavailable

LONGEST_RETRY_AFTER = 3600.0

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
        code: ``permit_unreachable``, ``permit_refused`` (401, 403, a key that cannot be sent), ``permit_busy`` (429), ``permit_nonsense`` or
            ``permit_rejected`` (every other 4xx).
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


def unreachable(about: str) -> PermitFault:
    """No answer, or none in time."""
    return PermitFault("permit_unreachable", about, passing=True)


def unsendable(about: str) -> PermitFault:
    """What authorises a call cannot stand in a header, so that nothing was sent."""
    return PermitFault("permit_refused", about)


def nonsense(about: str) -> PermitFault:
    """An answer that is not one."""
    return PermitFault("permit_nonsense", about)


def of_status(status: int, retry_after: str | None, about: str) -> PermitFault:
    """An answer whose status is not a success."""
    code = "permit_unreachable"
    if status in {401, 403}:
        code = "permit_refused"
    elif status == 429:
        code = "permit_busy"
    elif status < 500:
        code = "permit_rejected"
    return PermitFault(
        code, f"{about}: {status}", status=status, passing=status in _PASSING, retry_after=_seconds(retry_after)
    )


def of_sdk(error: Exception, about: str) -> PermitFault | None:
    """What the SDK raised; None for what is no fault of Permit.io's."""
    from aiohttp import ContentTypeError
    from permit.exceptions import PermitApiError, PermitConnectionError, PermitContextError
    from pydantic.v1 import ValidationError

    match error:
        case PermitApiError():
            return of_status(error.status_code, error.response.headers.get("Retry-After"), about)
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
    """``Retry-After`` in its form of seconds; a date is not understood and counts as nothing said."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return min(value, LONGEST_RETRY_AFTER) if math.isfinite(value) and value >= 0 else None


def problem_of(body: Any) -> str:
    """The message of an error of the API, for the log; nothing that is not a text."""
    message = body.get("message") if isinstance(body, dict) else None
    return message[:300] if isinstance(message, str) else ""

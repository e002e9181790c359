"""What can go wrong, in the words of Permit.io's API.

ApiFault          answered as ``ErrorDetails``: id, title, error_code, message
PlainRefusal      answered in plain text, as a decision point does that does not know the key
Unprocessable     answered as 422, in the shape of FastAPI's own validation errors
"""

from __future__ import annotations

from typing import Any

from permit_core.errors import PermitError


class ApiFault(PermitError):
    """A request that gets an error for an answer; the text is for whoever asked and names no internals.

    Args:
        status: the HTTP status.
        error_code: one of Permit.io's ``ErrorCode`` values: SDKs know no others.
        title: what kind of error, in a few words.
        message: what was wrong here.
    """

    def __init__(self, status: int, error_code: str, title: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_code, self.title, self.message = status, error_code, title, message


class PlainRefusal(PermitError):
    """A decision that is not made for whoever asks."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Unprocessable(PermitError):
    """A value of the body that cannot stand, at ``path``."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.detail: list[dict[str, Any]] = [{"loc": ["body", *path], "msg": message, "type": "value_error"}]


def not_found(what: str, ident: str) -> ApiFault:
    """404: there is no such thing in this environment."""
    title = "The requested data could not be found"
    # Clients look for the title in the message as well.
    return ApiFault(404, "NOT_FOUND", title, f"{title}: could not find {what} with id or key {ident!r}")


def duplicate(what: str, key: str) -> ApiFault:
    """409: it exists already."""
    return ApiFault(
        409, "DUPLICATE_ENTITY", "This object already exists", f"there is already a {what} with the key {key!r}"
    )


def conflict(message: str) -> ApiFault:
    """409: the thing is not in a state in which this can be done."""
    return ApiFault(409, "CONCURRENT_OPERATION_DISALLOWED", "This cannot be done any more", message)


def invalid(message: str, code: str = "INVALID_INPUT") -> ApiFault:
    """400: what was sent cannot be read, or does not fit together."""
    return ApiFault(400, code, "The request is not valid", message)


def forbidden(message: str) -> ApiFault:
    """403: this key, or this user, may not."""
    return ApiFault(403, "FORBIDDEN_ACCESS", "Forbidden access", message)


def unauthorized(message: str) -> ApiFault:
    """401: nobody we know."""
    return ApiFault(401, "UNAUTHORIZED", "Not authenticated", message)

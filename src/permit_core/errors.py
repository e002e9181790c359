"""Every error this project raises on purpose.

    PermitError                      something of ours went wrong; the text may hold internals
    ├── ConfigurationError           a setting or a file is missing or wrong; shown to the operator
    │   └── PolicyFileError          ... in a policy file: names file, line, key and what was expected
    ├── StoreError                   the database did not do what was asked
    └── UserFacing                   the text may be shown to the person or the model that asked
        ├── InvalidInput             the request itself is wrong
        ├── NotFound                 there is no such thing, or none that this caller may know of
        ├── Forbidden                the policy says no, or not without approval; carries the decision
        ├── Conflict                 the thing is not in a state in which this can be done
        ├── TooMany                  a limit was reached; says when to try again
        └── Unavailable              something that is needed for an answer does not answer; nothing was done

A ``UserFacing`` error has a stable machine-readable ``code``, a ``message`` that says what was wrong and a
``hint`` that says what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from permit_core.access import Decision


class PermitError(Exception):
    """Base of all our errors."""


class ConfigurationError(PermitError):
    """A setting or a file is missing or wrong. The text is for the operator."""


class PolicyFileError(ConfigurationError):
    """A policy file is wrong at one place.

    Args:
        file: the file as it was named.
        line: counted from 1; None when the whole file is meant.
        key: dotted path of the key, ``resources.dishes.roles``; empty for the document itself.
        expected: what should have stood there, in words.
    """

    def __init__(self, file: str, line: int | None, key: str, expected: str) -> None:
        self.file, self.line, self.key, self.expected = file, line, key, expected
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {key or 'document'}: {expected}")


class StoreError(PermitError):
    """The database did not do what was asked."""


class UserFacing(PermitError):
    """An error whose text may be shown to whoever asked.

    Args:
        code: stable, machine-readable, ``snake_case``.
        message: one sentence: what was wrong, and where.
        hint: one sentence: what to do next; may be empty.
        details: further machine-readable facts; JSON-serialisable and free of secrets.
    """

    default_code = "error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.hint = hint
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """``{"code", "message", "hint", **details}``: the wire form used by tools, sockets and the command line."""
        return {"code": self.code, "message": self.message, "hint": self.hint, **self.details}


class InvalidInput(UserFacing):
    """The request itself is wrong: a malformed id, a text too long, an unknown value."""

    default_code = "invalid_input"


class NotFound(UserFacing):
    """There is no such thing, or none that this caller may know of."""

    default_code = "not_found"


class Forbidden(UserFacing):
    """The policy says no, or not without approval."""

    default_code = "forbidden"

    def __init__(self, message: str, *, decision: Decision | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.decision = decision


class Conflict(UserFacing):
    """The thing is not in a state in which this can be done, such as a request that is decided already."""

    default_code = "conflict"


class TooMany(UserFacing):
    """A limit was reached. ``retry_after`` is in whole seconds."""

    default_code = "too_many"

    def __init__(self, message: str, *, retry_after: int, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.retry_after = retry_after


class Unavailable(UserFacing):
    """Something that is needed for an answer does not answer, or not sensibly."""

    default_code = "unavailable"

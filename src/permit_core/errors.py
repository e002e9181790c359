"""Every error this project raises on purpose.

    PermitError                      something of ours went wrong; the text may hold internals
    ├── ConfigurationError           a setting or a file is missing or wrong; shown to the operator
    │   └── PolicyFileError          ... in a policy file: names file, line, key and what was expected
    ├── ConstraintViolated           the database refused a row; the store that declared the constraint says what it means
    ├── StoreMisused                 the database was used in a way that cannot work: a bug of ours
    └── UserFacing                   the text may be shown to the person or the model that asked
        ├── InvalidInput             the request itself is wrong
        ├── NotFound                 there is no such thing, or none that this caller may know of
        ├── Forbidden                the policy says no, or not without approval; carries the decision
        ├── Conflict                 the thing is not in a state in which this can be done
        ├── TooMany                  a limit was reached; says when to try again
        └── Unavailable              something that is needed for an answer does not answer; nothing was done
            └── StoreError           ... the database

A ``UserFacing`` error has a stable machine-readable ``code``, a ``message`` that says what was wrong and a ``hint`` that
says what to do next; ``retry_after`` says when trying again may help, where that is known. Errors of one package that
are shown to people (a model that fails, a fault in Permit.io's shape) derive from one of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol


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


class ConstraintViolated(PermitError):
    """The database refused a row. Only the store that declared the constraint can give it a meaning.

    Args:
        constraint: its name; on SQLite, for one that has no name there, the columns: ``orders.approval_id``. Empty
            when the database does not say.
        kind: what it demands.
    """

    def __init__(
        self, constraint: str, kind: Literal["unique", "foreign_key", "check", "not_null", "other"] = "other"
    ) -> None:
        super().__init__(f"a constraint is violated ({kind.replace('_', ' ')}): {constraint or 'not named'}")
        self.constraint, self.kind = constraint, kind


class StoreMisused(PermitError):
    """The database was used in a way that cannot work, such as a write transaction within one: a bug of ours."""


class UserFacing(PermitError):
    """An error whose text may be shown to whoever asked.

    Args:
        code: stable, machine-readable, ``snake_case``.
        message: one sentence: what was wrong, and where.
        hint: one sentence: what to do next; may be empty.
        retry_after: seconds after which the same may succeed; None when that is not known, or does not help.
        details: further machine-readable facts; JSON-serialisable and free of secrets.
    """

    default_code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        retry_after: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.hint = hint
        self.retry_after = retry_after
        self.details = details if retry_after is None else {**details, "retry_after": retry_after}

    def as_dict(self) -> dict[str, Any]:
        """``{"code", "message", "hint", **details}``: the wire form used by tools, sockets and the command line."""
        return {"code": self.code, "message": self.message, "hint": self.hint, **self.details}


class InvalidInput(UserFacing):
    """The request itself is wrong: a malformed id, a text too long, an unknown value."""

    default_code = "invalid_input"


class NotFound(UserFacing):
    """There is no such thing, or none that this caller may know of."""

    default_code = "not_found"


class Remedy(Protocol):
    """A request that would help."""

    def as_dict(self) -> Mapping[str, Any]:
        """What can be asked for, as it is told."""
        ...


class Refusal(Protocol):
    """What :class:`Forbidden` needs of a decision; the noun itself is in ``access``, which knows our errors."""

    @property
    def remedies(self) -> Sequence[Remedy]:
        """What would help."""
        ...


class Forbidden(UserFacing):
    """The policy says no, or not without approval."""

    default_code = "forbidden"

    def __init__(self, message: str, *, decision: Refusal | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.decision = decision


class Conflict(UserFacing):
    """The thing is not in a state in which this can be done, such as a request that is decided already."""

    default_code = "conflict"


class TooMany(UserFacing):
    """A limit was reached. ``retry_after`` is in whole seconds."""

    default_code = "too_many"
    retry_after: int

    def __init__(self, message: str, *, retry_after: int, **rest: Any) -> None:
        super().__init__(message, retry_after=retry_after, **rest)


class Unavailable(UserFacing):
    """Something that is needed for an answer does not answer, or not sensibly."""

    default_code = "unavailable"


class StoreError(Unavailable):
    """The database did not do what was asked.

    ``message`` and ``hint`` are for whoever asked. The text of the exception is for the operator: it names the place and
    has the database's own words, but never a value or a password.

    Args:
        cause: what happened, for the operator.
        passing: True when trying again helps by itself, as when too many write at one moment; False when somebody has
            to put something right first, as with a full disk.
        outcome: ``nothing``: what was asked for did not happen. ``unknown``: the answer to a commit was lost, so that it
            may have.
    """

    default_code = "store_unavailable"
    retry_after: int

    def __init__(self, cause: str, *, passing: bool = True, outcome: Literal["nothing", "unknown"] = "nothing") -> None:
        retry_after = PASSING_SECONDS if passing else LASTING_SECONDS
        if outcome == "unknown":
            message = "The database stopped answering while this was being saved: it may or may not have happened."
            hint = f"Look whether it happened before you do it again; wait {retry_after} seconds first."
        else:
            message = "The database cannot be used at present, so nothing was done."
            hint = (
                f"Try again in {retry_after} seconds."
                if passing
                else "Trying again helps when whoever runs this has put it right."
            )
        known = {} if outcome == "nothing" else {"outcome": outcome}
        super().__init__(message, hint=hint, retry_after=retry_after, **known)
        self.cause, self.passing, self.outcome = cause, passing, outcome

    def __str__(self) -> str:
        return self.cause


PASSING_SECONDS = 2
LASTING_SECONDS = 30
"""When to ask again, after an outage that is over by itself, and after one that somebody has to end."""

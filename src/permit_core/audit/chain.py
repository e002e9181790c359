"""The hash chain of the audit log: pure, so that anybody can recompute it.

Each environment has a chain of its own. The hash of a record is SHA-256 over the UTF-8 bytes of one JSON array::

    [2, environment, seq, at, event, user, tenant, agent, session, request, policy, body, previous_hash]

Everything but the format and ``seq`` is a string: ``at`` is ISO 8601 in UTC with six decimals
(``2026-11-22T09:30:00.000000+00:00``), ``body`` the stored text. JSON quotes every part, so no two different records
have the same bytes. Format 1, which older versions wrote, is ``[seq, at, event, user, tenant, body, previous_hash]``;
a log that began with it goes on in format 2 after one record ``audit.sealed``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

GENESIS = "0" * 64
"""The ``previous_hash`` of record 1."""

FORMAT = 2
"""The format that records are written in."""

SEALED = "audit.sealed"
"""The event of the one record that ends what was written in an older format and begins the present one."""


@dataclass(frozen=True, slots=True)
class Link:
    """A record as it stands in the table: ``at`` and ``body`` are the very texts that were hashed."""

    environment: str
    seq: int
    at: str
    event: str
    user: str
    tenant: str
    agent: str
    session: str
    request: str
    policy: str
    body: str
    previous_hash: str
    hash: str
    format: int = FORMAT

    def digest(self, seq: int | None = None) -> str:
        """What the hash should be; under another number when ``seq`` is given."""
        number = self.seq if seq is None else seq
        if self.format == 1:
            return _hash([number, self.at, self.event, self.user, self.tenant, self.body, self.previous_hash])
        return digest(
            number,
            self.environment,
            self.at,
            self.event,
            self.user,
            self.tenant,
            self.agent,
            self.session,
            self.request,
            self.policy,
            self.body,
            self.previous_hash,
            form=self.format,
        )

    def sealed(self) -> Link:
        """The same with its hash."""
        return replace(self, hash=self.digest())


def digest(seq: int, environment: str, *texts: str, form: int = FORMAT) -> str:
    """The hash of a record in the present format; ``texts`` as above, from ``at`` to ``previous_hash``."""
    # The same bytes as the encoder's, for half of its time.
    covered = f"[{form},{_quoted(environment)},{seq},{','.join(map(_quoted, texts))}]"
    return hashlib.sha256(covered.encode()).hexdigest()


def moment(at: datetime) -> str:
    """A time as records have it."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")


def canonical(value: Any) -> str:
    """JSON with sorted keys, no white space and nothing but ASCII: one text for one value.

    Raises:
        TypeError: the value holds something that has no JSON form.
        ValueError: a number that is not finite, or a value that holds itself.
    """
    return _BODY.encode(value)


def _json_form(value: Any) -> Any:
    match value:
        case Mapping():
            return dict(value)
        case AbstractSet():
            return sorted(value)
        case datetime():
            return value.isoformat()
        case _:
            raise TypeError(f"an audit record cannot hold a {type(value).__name__}")


# Kept: json.dumps makes a new encoder for each call that wants anything but its defaults.
_LIST = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_BODY = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_json_form)


def _hash(covered: list[Any]) -> str:
    return hashlib.sha256(_LIST.encode(covered).encode()).hexdigest()

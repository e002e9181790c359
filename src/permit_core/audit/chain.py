"""The hash chain of the audit log: pure, so that anybody can recompute it.

The hash of a record is SHA-256 over the UTF-8 bytes of one JSON array of strings and one number::

    [seq, at, event, actor, tenant, body, previous_hash]

``at`` is ISO 8601 in UTC with six decimals (``2026-11-22T09:30:00.000000+00:00``), ``body`` the stored text. JSON
quotes every part, so no two different records have the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
"""The ``previous_hash`` of record 1."""


@dataclass(frozen=True, slots=True)
class Link:
    """A record as it stands in the table; ``body`` is the very text that was hashed."""

    seq: int
    at: datetime
    event: str
    actor: str
    tenant: str
    body: str
    previous_hash: str
    hash: str

    def digest(self, seq: int | None = None) -> str:
        """What the hash should be; under another number when ``seq`` is given."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        parts = [self.seq if seq is None else seq, at, self.event, self.actor, self.tenant, self.body]
        return hashlib.sha256(canonical([*parts, self.previous_hash]).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys, no white space and nothing but ASCII: one text for one value.

    Raises:
        TypeError: the value holds something that has no JSON form.
        ValueError: a number that is not finite, or a value that holds itself.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_json_form
    )


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

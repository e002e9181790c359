"""What the audit log keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from permit_core.identity import Actor


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something to be remembered.

    Attributes:
        event: dotted name, ``login.failed``, ``decision``, ``tool.call``, ``request.created``, ``order.placed``.
        actor: who did it, and in which environment and tenant.
        body: JSON-serialisable facts, redacted already: no password, token, key or whole conversation.
    """

    event: str
    actor: Actor
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An event as it stands in the chain: ``hash`` covers everything else, ``previous_hash`` included."""

    seq: int
    at: datetime
    event: str
    actor: str
    tenant: str
    body: Mapping[str, Any]
    previous_hash: str
    hash: str

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
        actor: who did it, and where; the program itself, or someone unknown before a log-in, has an actor as well.
        body: JSON-serialisable facts, redacted already: no password, token, key or whole conversation.
        request: id of the request that it belongs to, an access request, an operation approval or a held call; empty
            when there is none.
    """

    event: str
    actor: Actor
    body: Mapping[str, Any] = field(default_factory=dict)
    request: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An event as it stands in the chain of its environment: ``hash`` covers everything else.

    ``agent``, ``session``, ``request`` and ``policy`` are empty where there was none. ``policy`` is the identity of the
    policy that was in force. ``body`` is what was remembered; ``{"unreadable": text}`` when the stored text is damaged.
    """

    seq: int
    at: datetime
    event: str
    environment: str
    user: str
    tenant: str
    agent: str
    session: str
    request: str
    policy: str
    body: Mapping[str, Any]
    previous_hash: str
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-serialisable; times are ISO 8601 in UTC."""
        return {
            "seq": self.seq,
            "at": self.at.isoformat(timespec="microseconds"),
            "event": self.event,
            "environment": self.environment,
            "user": self.user,
            "tenant": self.tenant,
            "agent": self.agent,
            "session": self.session,
            "request": self.request,
            "policy": self.policy,
            "body": dict(self.body),
            "previous_hash": self.previous_hash,
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are wanted; None stands for all.

    Attributes:
        event: this event, or this family of events: ``tool`` means ``tool.call`` as well.
        user, agent, session: who acted.
        request: what belongs to this request.
        since, until: from the first moment on, and before the second.
    """

    event: str | None = None
    user: str | None = None
    agent: str | None = None
    session: str | None = None
    request: str | None = None
    since: datetime | None = None
    until: datetime | None = None

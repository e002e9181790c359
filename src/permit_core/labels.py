"""What a session has read: labels that a judgement asks for before it lets something happen.

A session is one human, one agent and the place that keeps what was read: a conversation, a process, or, for an agent
that comes over HTTP, everything it does for this human. The job such an agent says it works on is no part of it, so that
a new job clears nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from permit_core.clock import Clock
from permit_core.database import Database
from permit_core.identity import Actor
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.prepared import Prepared
from permit_core.stores.tables import session_labels

PRIVATE = "private"
"""Data that is not everybody's was read."""
UNTRUSTED = "untrusted"
"""Text was read that somebody else than this human wrote, or an unknown program: it may try to instruct a model."""

SESSION_LIFE = timedelta(minutes=30)
"""A session ends so long after its last call."""
ACROSS_SERVERS = ""
"""The place of an agent that comes over HTTP: what it has read it carries from server to server and from job to job."""

_LABEL = re.compile(r"[a-z][a-z_]{0,39}\Z")
_WRITE_EVERY = timedelta(minutes=1)  # a session's end is put off in steps, always to after its due time

_T = session_labels.c
_SESSION = (
    _T.environment == bindparam("of_environment"),
    _T.user_key == bindparam("of_user"),
    _T.agent == bindparam("of_agent"),
    _T.place == bindparam("of_place"),
)
_LIVE = or_(_T.expires_at.is_(None), _T.expires_at > bindparam("now"))
_READ = Prepared(select(_T.label, _T.expires_at).where(*_SESSION, _LIVE))
_ADD = Prepared(insert(session_labels), _T.keys())
_PUT_OFF = Prepared(
    update(session_labels).where(*_SESSION, _T.expires_at > bindparam("now")).values(expires_at=bindparam("until"))
)
_KEEP = Prepared(update(session_labels).where(*_SESSION, _T.label == bindparam("kept")).values(expires_at=None))
_OVER = delete(session_labels).where(_T.environment == bindparam("of_environment"), _T.expires_at <= bindparam("now"))
_END = delete(session_labels).where(*_SESSION)


def process_place() -> str:
    """A new place for a process that serves one session, such as a server over stdio."""
    return f"process:{secrets.token_hex(16)}"


class Labels:
    """The labels of all sessions, for every process.

    Args:
        database: where they are kept.
        audit: remembers when a session gets one.
        clock: the present moment.
    """

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def of(self, actor: Actor, place: str) -> frozenset[str]:
        """The labels that a session holds now. Asking counts as a call of the session, which lives on.

        Args:
            actor: the human, and the agent that acts.
            place: what keeps what was read.

        Raises:
            StoreError: the database does not answer.
        """
        now = self._clock().astimezone(UTC)
        session = _session(actor, place)
        rows = await self._database.read(lambda connection: _READ.all(connection, {**session, "now": now}))
        if any(row.expires_at is not None and row.expires_at < now + SESSION_LIFE for row in rows):
            await self._database.write(
                lambda connection: _put_off(connection, session, now), environment=actor.environment, durable=False
            )
        return frozenset(row.label for row in rows)

    async def taint(self, actor: Actor, place: str, labels: Iterable[str], source: str, *, kept: bool = False) -> None:
        """Give a session labels. They are durable when this returns: the answer that taints is given back afterwards.

        Args:
            actor: the human, and the agent that acts.
            place: what keeps what was read.
            labels: which; those that it holds already stay.
            source: what was read, for the record: a tool's name, or an event's.
            kept: what was read stays there, as in a stored conversation: time does not end these labels.

        Raises:
            ValueError: that is no label.
            StoreError: they are not durable.
        """
        wanted = frozenset(labels)
        if wrong := [label for label in wanted if not _LABEL.match(label)]:
            raise ValueError(f"no label: {wrong[0]!r}; one is up to 40 small letters and underscores")
        now = self._clock().astimezone(UTC)
        session = _session(actor, place)

        def work(connection: Connection) -> None:
            connection.execute(_OVER, {"of_environment": actor.environment, "now": now})
            held = {row.label: row.expires_at for row in _READ.all(connection, {**session, "now": now})}
            _put_off(connection, session, now)
            new = sorted(wanted - held.keys())
            for label in new:
                _ADD.run(connection, _row(actor, place, label, None if kept else _end(now)))
            for label in sorted(wanted & held.keys()) if kept else ():
                _KEEP.run(connection, {**session, "kept": label})
            if new:
                body = {"place": place, "labels": new, "source": source}
                self._audit.append_now(connection, AuditEvent("session.labelled", actor, body))

        await self._database.write(work, environment=actor.environment)

    async def end(self, actor: Actor, place: str) -> None:
        """End a session, by its human's word: what was read is gone, and so are its labels.

        Raises:
            StoreError: the database does not answer.
        """
        await self._database.write(
            lambda connection: self.end_now(connection, actor, place), environment=actor.environment
        )

    def end_now(self, connection: Connection, actor: Actor, place: str) -> None:
        """The same for a function that :meth:`permit_core.database.Database.write` runs."""
        connection.execute(_END, _session(actor, place))


def _session(actor: Actor, place: str) -> dict[str, Any]:
    return {
        "of_environment": actor.environment,
        "of_user": actor.user,
        "of_agent": actor.agent or "",
        "of_place": place,
    }


def _row(actor: Actor, place: str, label: str, expires_at: datetime | None) -> dict[str, Any]:
    whose = {"environment": actor.environment, "user_key": actor.user, "agent": actor.agent or "", "place": place}
    return {**whose, "label": label, "expires_at": expires_at}


def _end(now: datetime) -> datetime:
    return now + SESSION_LIFE + _WRITE_EVERY


def _put_off(connection: Connection, session: dict[str, Any], now: datetime) -> None:
    _PUT_OFF.run(connection, {**session, "now": now, "until": _end(now)})

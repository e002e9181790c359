"""The audit log: append-only, each record bound to the one before it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, bindparam, insert, or_, select, true, type_coerce, update

from permit_core.audit.chain import Link, canonical
from permit_core.audit.verify import Examination, VerifyReport
from permit_core.clock import Clock, utc_now
from permit_core.database import Database, Transaction
from permit_core.errors import StoreError
from permit_core.ports.record import AuditEvent, AuditRecord
from permit_core.prepared import Prepared
from permit_core.stores.tables import audit_head, audit_records
from permit_core.views import plain

BATCH = 500

# Part of every write.
_HEAD = Prepared(select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.id == 1))
_ADD = Prepared(insert(audit_records), audit_records.c.keys())
_MOVE_HEAD = Prepared(
    update(audit_head).where(audit_head.c.id == 1).values(seq=bindparam("last"), hash=bindparam("last_hash"))
)

_NEVER = datetime.min.replace(tzinfo=UTC)

# SQLite keeps times as text, and a damaged one is to be reported, not to stop the reader.
_RAW = [type_coerce(column, Text).label("at") if column is audit_records.c.at else column for column in audit_records.c]


class AuditLog:
    """Appends, reads and verifies; there is no way to change or remove a record, and the database refuses as well.

    Args:
        database: where the log is kept.
        clock: gives each record its time.
    """

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def append(self, transaction: Transaction, *events: AuditEvent) -> None:
        """Record events in the write transaction of what they record: both happen or neither.

        Raises:
            TypeError: a body holds something that has no JSON form.
            ValueError: a body holds a number that is not finite.
            StoreError: the log has lost its end.
        """
        if events:
            await transaction.run_sync(self.append_now, *events)

    def append_now(self, connection: Connection, *events: AuditEvent) -> None:
        """The same for a function that :meth:`permit_core.database.Database.write` runs."""
        if not events:
            return
        heads = _HEAD.all(connection, {})
        if not heads:
            raise StoreError("the audit log has lost its end: run permit-mcp audit verify")
        seq, previous = heads[0].seq, heads[0].hash
        at = self._clock().astimezone(UTC)
        rows = []
        for event in events:
            seq += 1
            link = _link(seq, at, event, previous)
            previous = link.digest()
            rows.append({**_columns(link), "hash": previous})
        _ADD.run(connection, rows)
        _MOVE_HEAD.run(connection, {"last": seq, "last_hash": previous})

    async def record(self, *events: AuditEvent, durable: bool = True) -> None:
        """Record events that have no effect of their own, in a write transaction of their own.

        Args:
            events: what to record.
            durable: as of :meth:`permit_core.database.Database.transaction`.

        Raises:
            TypeError, ValueError, StoreError: as :meth:`append`.
        """
        await self._database.write(lambda connection: self.append_now(connection, *events), durable=durable)

    async def records(
        self, after_seq: int = 0, limit: int = 100, event: str | None = None, transaction: Transaction | None = None
    ) -> list[AuditRecord]:
        """Records after ``after_seq``, oldest first, at most ``limit``.

        Args:
            after_seq: the last sequence number that is known already.
            limit: how many at most.
            event: only this event, or this family of events: ``tool`` means ``tool.call`` as well.
            transaction: read through this one, which also shows what it has appended itself.
        """
        async with self._database.joined(transaction) as reading:
            query = select(*_RAW).where(audit_records.c.seq > after_seq, _is_event(event))
            return [_record(row) for row in await reading.execute(query.order_by(audit_records.c.seq).limit(limit))]

    async def latest(
        self, limit: int = 10, event: str | None = None, up_to_seq: int | None = None
    ) -> list[AuditRecord]:
        """The last records, of those up to ``up_to_seq`` when it is given: oldest first, at most ``limit``.

        ``event`` is as in :meth:`records`.
        """
        newest_first = select(*_RAW).where(_is_event(event)).order_by(audit_records.c.seq.desc()).limit(limit)
        if up_to_seq is not None:
            newest_first = newest_first.where(audit_records.c.seq <= up_to_seq)
        async with self._database.reading() as reading:
            return [_record(row) for row in await reading.execute(newest_first)][::-1]

    async def verify(self) -> VerifyReport:
        """Recompute the whole chain, over one state of the log.

        A record that was changed, taken out, moved or cut off at the end is found. Whoever can rewrite the whole
        table and its head as well can hide it: keep the head's hash of a report elsewhere to notice that too.
        """
        async with self._database.reading() as reading:
            head = (await reading.execute(select(audit_head).where(audit_head.c.id == 1))).one_or_none()
            examination = Examination(None if head is None else (head.seq, head.hash))
            async for link in _links(reading):
                examination.look_at(link)
            return examination.report()


async def _links(transaction: Transaction) -> AsyncIterator[Link]:
    """Every record in order, a batch in memory at a time."""
    last: int | None = None
    while True:
        query = select(*_RAW).order_by(audit_records.c.seq).limit(BATCH)
        rows = (await transaction.execute(query if last is None else query.where(audit_records.c.seq > last))).all()
        for row in rows:
            yield _stored(row)
        if len(rows) < BATCH:
            return
        last = rows[-1].seq


def _link(seq: int, at: datetime, event: AuditEvent, previous_hash: str) -> Link:
    """The event as a record. Names that somebody typed are shortened, never a reason not to remember."""
    return Link(
        seq=seq,
        at=at,
        event=_bounded(event.event, 60),
        actor=_bounded(event.actor.user, 120),
        tenant=_bounded(event.actor.tenant, 100),
        body=canonical(event.body),
        previous_hash=previous_hash,
        hash="",
    )


def _bounded(text: str, length: int) -> str:
    return plain(text).encode("utf-8", "replace").decode()[:length]


def _columns(link: Link) -> dict[str, Any]:
    return {
        "seq": link.seq,
        "at": link.at,
        "event": link.event,
        "actor": link.actor,
        "tenant": link.tenant,
        "body": link.body,
        "previous_hash": link.previous_hash,
    }


def _stored(row: Row[Any]) -> Link:
    """A row as it stands; what cannot have been written by us becomes something whose hash does not fit either."""
    at = row.at
    if not isinstance(at, datetime):
        try:
            at = datetime.fromisoformat(str(at))
        except ValueError:
            at = _NEVER
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Link(
        row.seq,
        at,
        str(row.event),
        str(row.actor),
        str(row.tenant),
        str(row.body),
        str(row.previous_hash),
        str(row.hash),
    )


def _record(row: Row[Any]) -> AuditRecord:
    link = _stored(row)
    try:
        body = json.loads(link.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):  # somebody has been at it: still to be read, and verify says which record it is
        body = {"unreadable": link.body}
    return AuditRecord(link.seq, link.at, link.event, link.actor, link.tenant, body, link.previous_hash, link.hash)


def _is_event(event: str | None) -> ColumnElement[bool]:
    if event is None:
        return true()
    return or_(audit_records.c.event == event, audit_records.c.event.startswith(f"{event}.", autoescape=True))

"""The audit log: append-only, each record bound to the one before it in its environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from permit_core.audit.chain import FORMAT, GENESIS, Link, canonical, digest, moment
from permit_core.audit.groups import Group, GroupCommit
from permit_core.audit.hooks import RecordHook, RecordHooks
from permit_core.audit.notary import Notary
from permit_core.audit.rows import checkpoint_of, conditions_of, record_of, stored
from permit_core.audit.signing import Checkpoint
from permit_core.audit.verify import Damage, Examination, Signatures, VerifyReport
from permit_core.clock import Clock, utc_now
from permit_core.database import Database, Transaction
from permit_core.errors import InvalidInput, StoreError
from permit_core.identity import Actor
from permit_core.ports.audit import Comparison
from permit_core.ports.record import AuditEvent, AuditRecord, RecordFilter
from permit_core.prepared import Prepared
from permit_core.stores.tables import audit_checkpoints, audit_head, audit_records
from permit_core.views import plain

BATCH = 500

TIME_TO_SIGN = timedelta(minutes=1)
"""How old a record is at least when nothing but a missing key explains that it has no signature."""

# Part of every write.
_HEAD = Prepared(
    select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.environment == bindparam("environment"))
)
_ADD = Prepared(insert(audit_records), audit_records.c.keys())
_MOVE_HEAD = Prepared(
    update(audit_head)
    .where(audit_head.c.environment == bindparam("of"))
    .values(seq=bindparam("last"), hash=bindparam("last_hash"))
)


class _Draft(NamedTuple):
    """An event as it will be recorded, before it has a place in the chain."""

    environment: str
    at: str
    event: str
    user: str
    tenant: str
    agent: str
    session: str
    request: str
    policy: str
    body: str


class AuditLog:
    """Appends, reads and verifies; there is no way to change or remove a record, and the database refuses as well.

    Args:
        database: where the log is kept.
        clock: gives each record its time.
        policy: the identity of the policy in force in an environment, for the records.
        notary: signs what was written; None: nothing is signed.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock = utc_now,
        *,
        policy: Callable[[str], str] = lambda _: "",
        notary: Notary | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self.notary = notary
        self._hooks = RecordHooks(database)
        self._commits: dict[str, GroupCommit[_Draft]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._belong()

    def show_to(self, hook: RecordHook) -> None:
        """Give each record that is written from now on to ``hook``, once it is committed, in order.

        What it raises is logged, and it is given the same record again; nothing waits for it.
        """
        self._hooks.add(hook)

    async def append(self, transaction: Transaction, *events: AuditEvent) -> None:
        """Record events in the write transaction of what they record: both happen or neither.

        Raises:
            TypeError: a body holds something that has no JSON form.
            ValueError: a body holds a number that is not finite.
            StoreError: the log has lost its end.
        """
        if events:
            self._belong()
            # Here and not in the database's thread: the policy is that of whoever acts.
            drafts = [self._draft(event) for event in events]
            await transaction.run_sync(self._write, drafts)

    def append_now(self, connection: Connection, *events: AuditEvent) -> None:
        """The same for a function that :meth:`permit_core.database.Database.write` runs.

        It may be another thread's: what is signed and shown then is done in the event loop that the log was made in.
        """
        if events:
            self._write(connection, [self._draft(event) for event in events])

    async def note(self, *events: AuditEvent, durable: bool = True) -> None:
        """Record events that have no effect of their own, together with those of other calls.

        Returns when they are committed: whatever kills the process then, they stay.

        Args:
            events: what to record.
            durable: wait for the disk too. Otherwise a power cut may take the last of them.

        Raises:
            TypeError, ValueError, StoreError: as :meth:`append`; nothing was recorded.
        """
        for group in await self.queue(*events, durable=durable):
            await group.committed()

    async def queue(self, *events: AuditEvent, durable: bool = True) -> Sequence[Group[Any]]:
        """The same without waiting for more than room in the queue.

        Returns:
            What they are committed with; wait for ``committed()`` of each, or for :meth:`flush`, before an answer
            relies on the record.

        Raises:
            TypeError, ValueError: as :meth:`append`.
            StoreError: there is no room, for nothing can be written.
        """
        self._belong()
        groups = []
        for environment, drafts in _by_environment([self._draft(event) for event in events]):
            commit = self._commits.get(environment) or self._commit(environment)
            await commit.room()
            groups.append(commit.take(drafts, durable=durable))
        return groups

    async def flush(self, environment: str | None = None) -> None:
        """Wait until everything that was queued, in one environment or in all, is committed.

        Raises:
            StoreError: some of it could not be.
        """
        for name, commit in list(self._commits.items()):
            if environment in (None, name):
                await commit.flush()

    async def close(self) -> None:
        """Commit what is queued, sign the end, show the hooks the last of it. The database stays open."""
        try:
            await self.flush()
        finally:
            if self.notary is not None:
                await self.notary.close()
            await self._hooks.close()

    def _commit(self, environment: str) -> GroupCommit[_Draft]:
        async def write(drafts: Sequence[_Draft], durable: bool) -> None:
            await self._database.write(
                lambda connection: self._write(connection, drafts), environment=environment, durable=durable
            )

        commit = self._commits[environment] = GroupCommit(write)
        return commit

    def now(self) -> str:
        """The time that a record of this moment gets."""
        return moment(self._clock())

    def _belong(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except (
            RuntimeError
        ):  # a thread of the database, or the log is made before there is a loop: the next call brings it
            return
        if loop is self._loop:
            return
        self._loop = loop
        if self.notary is not None:
            self.notary.belong(loop)
        self._hooks.belong(loop)

    def _draft(self, event: AuditEvent) -> _Draft:
        """The event's texts. Names that somebody typed are shortened, never a reason not to remember."""
        environment, user, tenant, agent, session = _parts(event.actor)
        return _Draft(
            environment,
            self.now(),
            _bounded(event.event, 60),
            user,
            tenant,
            agent,
            session,
            _bounded(event.request, 60) if event.request else "",
            self._policy(environment),
            canonical(event.body),
        )

    def _write(self, connection: Connection, drafts: Sequence[_Draft]) -> None:
        """Give drafts their places in the chains of their environments."""
        ends: dict[str, tuple[int, str]] = {}
        firsts: dict[str, int] = {}
        rows: list[tuple[Any, ...]] = []
        for draft in drafts:
            environment = draft.environment
            seq, previous = ends.get(environment) or _end(connection, environment)
            seq += 1
            firsts.setdefault(environment, seq)
            own = digest(seq, *draft, previous)
            rows.append((environment, seq, FORMAT, *draft[1:], previous, own))  # in the order of the columns
            ends[environment] = seq, own
        _ADD.run(connection, rows)
        for environment, (seq, last) in ends.items():
            _MOVE_HEAD.run(connection, {"of": environment, "last": seq, "last_hash": last})
            if self.notary is not None:
                self.notary.wrote(environment, seq)
            self._hooks.wrote(environment, firsts[environment], seq)

    async def records(
        self,
        environment: str,
        wanted: RecordFilter | None = None,
        *,
        after_seq: int = 0,
        limit: int = 100,
        transaction: Transaction | None = None,
    ) -> list[AuditRecord]:
        """Records of an environment after ``after_seq``, oldest first, at most ``limit``.

        Args:
            environment: whose log.
            wanted: which of them; all when None.
            after_seq: the last sequence number that is known already.
            limit: how many at most.
            transaction: read through this one, which also shows what it has appended itself.
        """
        async with self._database.joined(transaction) as reading:
            query = select(audit_records).where(audit_records.c.seq > after_seq, *conditions_of(environment, wanted))
            return [
                record_of(stored(row))
                for row in await reading.execute(query.order_by(audit_records.c.seq).limit(limit))
            ]

    async def latest(
        self, environment: str, wanted: RecordFilter | None = None, *, limit: int = 10, up_to_seq: int | None = None
    ) -> list[AuditRecord]:
        """The last records, of those up to ``up_to_seq`` when it is given: oldest first, at most ``limit``."""
        newest_first = select(audit_records).where(*conditions_of(environment, wanted))
        if up_to_seq is not None:
            newest_first = newest_first.where(audit_records.c.seq <= up_to_seq)
        async with self._database.reading() as reading:
            rows = await reading.execute(newest_first.order_by(audit_records.c.seq.desc()).limit(limit))
            return [record_of(stored(row)) for row in rows][::-1]

    async def environments(self) -> list[str]:
        """The environments of which something is remembered, by name."""
        async with self._database.reading() as reading:
            known = select(audit_head.c.environment).union(select(audit_records.c.environment))
            return sorted((await reading.execute(known)).scalars())

    async def verify(
        self,
        environment: str,
        *,
        public_keys: Sequence[str] = (),
        anchors: Iterable[Checkpoint] = (),
        since: str | None = None,
        comparisons: Sequence[Comparison] = (),
    ) -> VerifyReport:
        """Recompute the chain of an environment, and hold it against signatures and what it tells of; one state of all.

        Args:
            environment: whose log.
            public_keys: keys whose signatures count, as 64 hexadecimal digits. Without any, a signature counts when the
                key that it names has made it, which whoever rewrites everything can do as well.
            anchors: signed checkpoints that were kept elsewhere.
            since: hash of a record, from an earlier report: it must be there, and what follows it is looked at.
            comparisons: what to compare with; nothing with ``since``, for they need the whole log.

        Raises:
            InvalidInput: ``since`` is not a hash.
            StoreError: the database is unreachable.
        """
        if since is not None and (len(since) != 64 or set(since) - set("0123456789abcdef")):
            raise InvalidInput("HEAD is a hash: 64 hexadecimal digits, as the last line of audit verify prints it.")
        async with self._database.reading() as reading:
            start = await _start(reading, environment, since)
            head = (
                await reading.execute(select(audit_head).where(audit_head.c.environment == environment))
            ).one_or_none()
            counted = select(func.count()).select_from(audit_records).where(audit_records.c.environment == environment)
            examination = Examination(
                None if head is None else (head.seq, head.hash),
                (await reading.execute(counted)).scalar_one(),
                start or (0, GENESIS),
            )
            if since is not None and start is None:
                examination.found(
                    1,
                    Damage.REWRITTEN,
                    "the log has no record with the hash that was given: it was rewritten or cut, or is another one",
                )
            by_seq: dict[int, list[Checkpoint]] = {}
            for anchor in anchors:
                if anchor.environment == environment:
                    by_seq.setdefault(anchor.seq, []).append(anchor)
            signatures = Signatures(examination, list(public_keys), by_seq)
            used = () if since is not None else comparisons
            await self._go_along(reading, environment, signatures, start[0] if start else 0, used)
            for comparison in used:
                for difference in await comparison.differences(reading, environment):
                    examination.found(difference.seq, Damage.DISAGREES, f"{difference.subject}: {difference.text}")
            return examination.report(signatures)

    async def _go_along(
        self,
        reading: Transaction,
        environment: str,
        signatures: Signatures,
        last: int,
        comparisons: Sequence[Comparison],
    ) -> None:
        """Show all records after ``last`` to whoever examines them."""
        settled = signatures.signed_up_to = last
        before = moment(self._clock() - TIME_TO_SIGN)
        async for links, checkpoints in _batches(reading, environment, last):
            for link in links:
                signatures.examination.look_at(link)
                signatures.look_at(link, checkpoints.get(link.seq, ()))
                for comparison in comparisons:
                    comparison.see(record_of(link))
                if link.at < before:
                    settled = link.seq
            last = links[-1].seq
        rest = select(audit_checkpoints).where(
            audit_checkpoints.c.environment == environment, audit_checkpoints.c.seq > last
        )
        signatures.beyond(last, [checkpoint_of(row) for row in await reading.execute(rest.limit(BATCH))])
        signatures.tail(last, settled=settled)


async def _start(reading: Transaction, environment: str, since: str | None) -> tuple[int, str] | None:
    """Number and hash of the record that an earlier report ended with."""
    if since is None or since == GENESIS:
        return None if since is None else (0, GENESIS)
    found = select(audit_records.c.seq).where(audit_records.c.environment == environment, audit_records.c.hash == since)
    row = (await reading.execute(found.limit(1))).one_or_none()
    return None if row is None else (row.seq, since)


async def _batches(
    reading: Transaction, environment: str, after: int
) -> AsyncIterator[tuple[list[Link], Mapping[int, list[Checkpoint]]]]:
    """Every record in order, a batch in memory at a time, with what is signed of it."""
    last: int | None = after or None
    while True:
        query = select(audit_records).where(audit_records.c.environment == environment).order_by(audit_records.c.seq)
        rows = (
            await reading.execute((query if last is None else query.where(audit_records.c.seq > last)).limit(BATCH))
        ).all()
        if not rows:
            return
        signed = select(audit_checkpoints).where(
            audit_checkpoints.c.environment == environment,
            audit_checkpoints.c.seq.between(rows[0].seq, rows[-1].seq),
        )
        checkpoints: dict[int, list[Checkpoint]] = {}
        for row in await reading.execute(signed):
            checkpoints.setdefault(row.seq, []).append(checkpoint_of(row))
        yield [stored(row) for row in rows], checkpoints
        last = rows[-1].seq


def _by_environment(drafts: list[_Draft]) -> Iterable[tuple[str, list[_Draft]]]:
    if len({draft.environment for draft in drafts}) <= 1:
        return [(drafts[0].environment, drafts)] if drafts else []
    sorted_out: dict[str, list[_Draft]] = {}
    for draft in drafts:
        sorted_out.setdefault(draft.environment, []).append(draft)
    return sorted_out.items()


def _end(connection: Connection, environment: str) -> tuple[int, str]:
    """Number and hash of the last record; of nothing, in an environment of which nothing is remembered yet."""
    heads = _HEAD.all(connection, {"environment": environment})
    if heads:
        return heads[0].seq, heads[0].hash
    any_record = select(audit_records.c.seq).where(audit_records.c.environment == environment).limit(1)
    if connection.execute(any_record).first() is not None:
        raise StoreError("the audit log has lost its end: run permit-mcp audit verify")
    connection.execute(insert(audit_head).values(environment=environment, seq=0, hash=GENESIS))
    return 0, GENESIS


def _bounded(text: str, length: int) -> str:
    """Cut first: cleaning, or keeping, something endless is work without an end."""
    return _clean(text if len(text) <= length else text[: length * 4], length)


@lru_cache(maxsize=1024)
def _clean(text: str, length: int) -> str:
    return plain(text).encode("utf-8", "replace").decode()[:length]


@lru_cache(maxsize=1024)
def _parts(actor: Actor) -> tuple[str, str, str, str, str]:
    """Environment, user, tenant, agent and session, as the columns take them."""
    return (
        _bounded(actor.environment, 100),
        _bounded(actor.user, 120),
        _bounded(actor.tenant, 100),
        _bounded(actor.agent or "", 120),
        _bounded(actor.session or "", 120),
    )

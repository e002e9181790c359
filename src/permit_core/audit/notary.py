"""Signing what was written: a checkpoint for each second in which something was, and for every 256 records.

Only what is committed is signed, and only what follows what was signed before. A checkpoint stands in the database, so
that the public key alone is enough to verify, and goes to the program's log and to a file elsewhere: whoever takes the
records, the head and the checkpoints out of the database cannot take it out of those.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, insert, select

from permit_core.audit.chain import moment
from permit_core.audit.signing import Checkpoint, KeyFolder, SigningKey, append_line
from permit_core.audit.trailing import Trailing
from permit_core.clock import Clock, utc_now
from permit_core.database import Database
from permit_core.errors import ConfigurationError, StoreError
from permit_core.stores.tables import audit_checkpoints, audit_head, audit_records

logger = logging.getLogger(__name__)

SECONDS = 1.0
RECORDS = 256

MOST_ROUNDS = 10
"""How often a record is looked for that was appended: its transaction may be open still, or was rolled back."""

MOST_UNANCHORED = 10_000
"""How many lines are kept for a file elsewhere that cannot be written at present."""


class Notary:
    """Signs the ends of chains.

    Args:
        database: where records and checkpoints are.
        keys: where the signing key is.
        anchor: the file elsewhere that checkpoints go to, as lines of JSON; None: only to the program's log.
        clock: gives each checkpoint its time.
    """

    def __init__(self, database: Database, keys: KeyFolder, anchor: Path | None = None, clock: Clock = utc_now) -> None:
        self._database = database
        self._keys = keys
        self._anchor = anchor
        self._clock = clock
        self._key: SigningKey | None = None
        self._unusable = False
        self._written: dict[str, int] = {}
        self._signed: dict[str, tuple[int, str]] = {}
        self._rounds: dict[str, int] = {}
        self._unanchored: deque[Checkpoint] = deque(maxlen=MOST_UNANCHORED)
        self._trailing = Trailing("signing the audit log", self._sign_all, SECONDS)

    def belong(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which event loop signing is to run in."""
        self._trailing.belong(loop)

    def wrote(self, environment: str, seq: int) -> None:
        """A record was written, and is or will be committed. May be called in any thread."""
        self._written[environment] = seq
        since = self._signed.get(environment)
        self._trailing.wake(hurry=since is not None and seq - since[0] >= RECORDS)

    async def close(self) -> None:
        """Sign the end of what this process has written."""
        await self._trailing.close()

    async def _sign_all(self) -> bool:
        if self._unusable:
            return False
        left = False
        for environment, written in list(self._written.items()):
            signed = await self._sign(environment)
            if signed >= written:
                self._rounds.pop(environment, None)
                if self._written[environment] == written:
                    del self._written[environment]
            else:
                rounds = self._rounds[environment] = self._rounds.get(environment, 0) + 1
                if rounds > MOST_ROUNDS:
                    self._written.pop(environment)
                left = True
        await self._take_elsewhere()
        return left and bool(self._written)

    async def _sign(self, environment: str) -> int:
        """Sign the present end; the number that is signed now."""
        key = await self._own_key()
        if key is None:
            return self._written[environment]
        checkpoint, successor = await self._database.write(
            lambda connection: self._sign_now(connection, environment, key), environment=environment, durable=False
        )
        if successor:
            # This key has ended: another process has rotated it.
            if not await asyncio.to_thread(self._keys.go_over, successor):
                raise ConfigurationError(
                    f"the signing key was replaced by {successor[:16]}…, which is not in {self._keys.folder}"
                )
            self._key = None
        if checkpoint is not None:
            self._signed[environment] = checkpoint.seq, checkpoint.hash
            self._tell(checkpoint)
        return self._signed.get(environment, (0, ""))[0]

    async def _own_key(self) -> SigningKey | None:
        if self._key is None:
            try:
                self._key = await asyncio.to_thread(self._keys.key)
            except ConfigurationError as error:
                self._unusable = True
                logger.warning("the audit log is written, and not signed: %s", error)
        return self._key

    def _sign_now(
        self, connection: Connection, environment: str, key: SigningKey
    ) -> tuple[Checkpoint | None, str | None]:
        """What was signed, if anything was to be; and the key's successor, if it has one."""
        ended = select(audit_checkpoints.c.successor).where(
            audit_checkpoints.c.environment == environment,
            audit_checkpoints.c.key == key.public,
            audit_checkpoints.c.successor != "",
        )
        successor = connection.execute(ended.limit(1)).scalar_one_or_none()
        if successor is not None:
            return None, str(successor)
        return sign_end(connection, environment, key, moment(self._clock()), known=self._signed.get(environment)), None

    async def publish(self, checkpoint: Checkpoint) -> None:
        """Take one that was committed by other hands to the program's log and elsewhere."""
        self._tell(checkpoint)
        await self._take_elsewhere()

    def _tell(self, checkpoint: Checkpoint) -> None:
        logger.info("audit checkpoint %s", checkpoint.line())
        if self._anchor is not None:
            self._unanchored.append(checkpoint)

    async def _take_elsewhere(self) -> None:
        if self._anchor is None or not self._unanchored:
            return
        try:
            await asyncio.to_thread(_append, self._anchor, list(self._unanchored))
        except OSError as error:
            logger.warning("AUDIT_ANCHOR_FILE: %s cannot be written: %s", self._anchor, error.strerror or error)
        else:
            self._unanchored.clear()


def sign_end(
    connection: Connection,
    environment: str,
    key: SigningKey,
    at: str,
    *,
    known: tuple[int, str] | None = None,
    successor: str = "",
) -> Checkpoint | None:
    """Sign the end of a chain, in the write transaction that ``connection`` is in.

    Args:
        connection: a write transaction.
        environment: whose log.
        key: signs.
        at: when.
        known: number and hash of a record that was signed before.
        successor: the key that comes after this one, when this is its last signature here.

    Returns:
        The checkpoint; None when the end is signed already.

    Raises:
        StoreError: what was signed before is not there any more. Whatever took it away does not get a signature.
    """
    end = connection.execute(select(audit_head).where(audit_head.c.environment == environment)).one_or_none()
    newest = connection.execute(
        select(audit_checkpoints.c.seq, audit_checkpoints.c.hash)
        .where(audit_checkpoints.c.environment == environment)
        .order_by(audit_checkpoints.c.seq.desc())
        .limit(1)
    ).one_or_none()
    for seq, expected in _before(known, None if newest is None else (newest.seq, newest.hash)):
        record = select(audit_records.c.hash).where(
            audit_records.c.environment == environment, audit_records.c.seq == seq
        )
        if connection.execute(record).scalar_one_or_none() != expected:
            raise StoreError(
                f"record {seq} of the audit log is not the one that was signed, so what follows it is not signed: "
                "run permit-mcp audit verify"
            )
    if end is None or (newest is not None and newest.seq >= end.seq):
        return None
    checkpoint = key.sign(Checkpoint(environment, end.seq, end.hash, at, key.public, successor))
    connection.execute(
        insert(audit_checkpoints).values(
            environment=environment,
            seq=checkpoint.seq,
            hash=checkpoint.hash,
            at=checkpoint.at,
            key=checkpoint.key,
            successor=checkpoint.successor,
            signature=checkpoint.signature,
        )
    )
    return checkpoint


def _before(*signed: tuple[int, str] | None) -> Iterator[tuple[int, str]]:
    yield from (each for each in dict.fromkeys(signed) if each is not None and each[0])


def _append(file: Path, checkpoints: list[Checkpoint]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    append_line(file, "\n".join(checkpoint.line() for checkpoint in checkpoints))

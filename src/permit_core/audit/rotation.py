"""A new signing key: where the old one hands over, and where it is lost."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, select

from permit_core.audit.log import AuditLog
from permit_core.audit.notary import sign_end
from permit_core.audit.signing import Checkpoint, KeyFolder, SigningKey
from permit_core.database import Database
from permit_core.identity import system_actor
from permit_core.ports.record import AuditEvent
from permit_core.stores.tables import audit_checkpoints


async def rotate_key(database: Database, log: AuditLog, keys: KeyFolder) -> str:
    """Hand over to a new key: the old key's last signature in each environment names it.

    Cut short, it is finished by doing it again. Processes that run go over by themselves when they sign next.

    Returns:
        The new public key.

    Raises:
        ConfigurationError: a key can be neither read nor made.
        StoreError: the database is unreachable, or what was signed before is not there any more.
    """
    old = await asyncio.to_thread(keys.key)
    new = await asyncio.to_thread(keys.upcoming)
    for environment in await log.environments():

        def hand_over(connection: Connection, environment: str = environment) -> Checkpoint | None:
            return _hand_over(connection, environment, log, old, new)

        checkpoint = await database.write(hand_over, environment=environment)
        if checkpoint is not None and log.notary is not None:
            await log.notary.publish(checkpoint)
    await asyncio.to_thread(keys.go_over, new.public)
    return new.public


def _hand_over(
    connection: Connection, environment: str, log: AuditLog, old: SigningKey, new: SigningKey
) -> Checkpoint | None:
    ended = select(audit_checkpoints.c.successor).where(
        audit_checkpoints.c.environment == environment,
        audit_checkpoints.c.key == old.public,
        audit_checkpoints.c.successor == new.public,
    )
    if connection.execute(ended.limit(1)).first() is not None:
        return None  # done, before it was cut short
    rotated = {"key": old.public, "successor": new.public}
    log.append_now(connection, AuditEvent("audit.key_rotated", system_actor(environment), rotated))
    return sign_end(connection, environment, old, log.now(), successor=new.public)


async def replace_key(log: AuditLog, keys: KeyFolder) -> str:
    """A new key where the old one is lost; each environment's log says so.

    Returns:
        The new public key.

    Raises:
        ConfigurationError: there is a key, or a new one cannot be made.
        StoreError: the database is unreachable.
    """
    before = keys.public_keys()
    new = await asyncio.to_thread(keys.replace)
    told = {"key": new.public, "before": before}
    for environment in await log.environments():
        await log.note(AuditEvent("audit.key_replaced", system_actor(environment), told))
    return new.public

"""What somebody does who owns the database: the guards off, then the deed."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, text, update

from permit_core.audit.chain import GENESIS
from permit_core.audit.rows import stored
from permit_core.database import Database
from permit_core.stores.tables import audit_head, audit_records

TABLES = ("audit_records", "audit_head", "audit_checkpoints")


async def tamper(database: Database, *statements: str) -> None:
    """Do it with the guards off."""
    async with database.transaction() as transaction:
        if database.is_sqlite:
            names = (await transaction.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))).scalars()
            for name in names.all():
                await transaction.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in TABLES:
                await transaction.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            await transaction.execute(text(statement))


async def rewrite(database: Database, environment: str, *, user: str) -> None:
    """Make another user of every record, and every hash and the head fit again."""
    await tamper(database)
    columns, previous = audit_records.c, GENESIS
    async with database.transaction() as transaction:
        wanted = select(audit_records).where(columns.environment == environment).order_by(columns.seq)
        for row in (await transaction.execute(wanted)).all():
            link = replace(stored(row), user=user, previous_hash=previous).sealed()
            previous = link.hash
            await transaction.execute(
                update(audit_records)
                .where(columns.environment == environment, columns.seq == link.seq)
                .values(user_key=user, previous_hash=link.previous_hash, hash=link.hash)
            )
        await transaction.execute(
            update(audit_head).where(audit_head.c.environment == environment).values(hash=previous)
        )

"""What was asked of the decision point lately, as rows beside the audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from permit_core.database import Transaction
from permit_core.stores.tables import recent_checks

KEPT_FOR = timedelta(days=30)
MOST_KEPT = 1000
"""How many different checks are kept of an environment."""

_C = recent_checks.c


def write_checks(connection: Connection, environment: str, bodies: Mapping[str, str], now: datetime) -> None:
    """Keep checks, by digest, as the last ones; those that are older than the last thousand, or than thirty days, go.

    For :meth:`permit_core.database.Database.write`.
    """
    connection.execute(delete(recent_checks).where(_C.environment == environment, _C.digest.in_(list(bodies))))
    rows = [
        {"environment": environment, "digest": digest, "body": body, "checked_at": now}
        for digest, body in bodies.items()
    ]
    if rows:
        connection.execute(insert(recent_checks), rows)
    connection.execute(delete(recent_checks).where(_C.environment == environment, _C.checked_at < now - KEPT_FOR))
    last = select(_C.digest).where(_C.environment == environment).order_by(_C.checked_at.desc()).limit(MOST_KEPT)
    connection.execute(delete(recent_checks).where(_C.environment == environment, _C.digest.not_in(last)))


async def read_checks(environment: str, transaction: Transaction, now: datetime) -> list[dict[str, Any]]:
    """The checks that are kept, the last one first."""
    query = select(_C.body).where(_C.environment == environment, _C.checked_at >= now - KEPT_FOR)
    found = await transaction.execute(query.order_by(_C.checked_at.desc()).limit(MOST_KEPT))
    return [json.loads(body) for body in found.scalars()]


async def has_old_checks(environment: str, transaction: Transaction, now: datetime) -> bool:
    """Whether some are kept that are to go."""
    old = select(_C.digest).where(_C.environment == environment, _C.checked_at < now - KEPT_FOR).limit(1)
    return (await transaction.execute(old)).first() is not None

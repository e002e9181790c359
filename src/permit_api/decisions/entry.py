"""Who asks the decision point: the key and the state of its environment, in one statement."""

from __future__ import annotations

import hmac
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import sqlite

from permit_api.decisions.snapshots import Versions
from permit_api.store.keys import digest_of, handle_of
from permit_api.store.tables import api_keys, environments
from permit_core.database import Database
from permit_core.errors import PermitError
from permit_core.prepared import Prepared
from permit_core.stores.facts import FactsVersion
from permit_core.stores.tables import environments as facts_of

_OF_HANDLE = (
    select(
        api_keys.c.digest,
        api_keys.c.access_level,
        environments.c.id,
        environments.c.schema_version,
        facts_of.c.facts_version,
        facts_of.c.facts_stamp,
    )
    .select_from(
        api_keys.join(environments, environments.c.id == api_keys.c.environment_id).join(
            facts_of, facts_of.c.key == environments.c.id
        )
    )
    .where(api_keys.c.handle == bindparam("handle"))
)
_READ = Prepared(_OF_HANDLE)
_PEEK = str(_OF_HANDLE.compile(dialect=sqlite.dialect()))


class KeyRefused(PermitError):
    """The key is nobody's, or is not of one environment."""


def peek_versions(database: Database, secret: str) -> tuple[str, Versions] | None:
    """What :func:`find_versions` finds, without waiting; None when that cannot be said, or the key is refused."""
    row = database.peek(_PEEK, (handle_of(secret),))
    return None if row is None else _let_in(secret, row)


async def find_versions(database: Database, secret: str) -> tuple[str, Versions]:
    """The environment of an API key, and the versions it is at, as they are committed at this moment.

    Raises:
        KeyRefused: it has none.
        StoreError: the database is unreachable.
    """
    found = peek_versions(database, secret)
    if found is None:
        await database.open_peek()
        rows = await database.read(lambda connection: _READ.all(connection, {"handle": handle_of(secret)}))
        found = _let_in(secret, rows[0]) if rows else None
    if found is None:
        raise KeyRefused
    return found


def _let_in(secret: str, row: tuple[Any, ...]) -> tuple[str, Versions] | None:
    """The environment and its versions, if this is the key that the row is of."""
    digest, access_level, environment_id, schema, number, stamp = row
    if not hmac.compare_digest(digest, digest_of(secret)) or access_level == "no_access":
        return None
    return environment_id, Versions(schema, FactsVersion(number, stamp))

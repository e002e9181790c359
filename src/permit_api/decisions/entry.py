"""Who asks the decision point: the key and the state of its environment, in one statement."""

from __future__ import annotations

import hmac

from sqlalchemy import Connection, bindparam, select

from permit_api.decisions.snapshots import Versions
from permit_api.store.keys import digest_of, handle_of
from permit_api.store.tables import api_keys, environments
from permit_core.prepared import Prepared

_KEY = Prepared(
    select(
        api_keys.c.digest,
        api_keys.c.access_level,
        environments.c.id,
        environments.c.schema_version,
        environments.c.facts_version,
    )
    .select_from(api_keys.join(environments, environments.c.id == api_keys.c.environment_id))
    .where(api_keys.c.handle == bindparam("handle"))
)


class KeyRefused(Exception):
    """The key is nobody's, or is not of one environment."""


def find_versions(connection: Connection, secret: str) -> tuple[str, Versions]:
    """The environment of an API key, and the versions it is at.

    Raises:
        KeyRefused: it has none.
    """
    found = _KEY.all(connection, {"handle": handle_of(secret)})
    row = found[0] if found else None
    if row is None or not hmac.compare_digest(row.digest, digest_of(secret)) or row.access_level == "no_access":
        raise KeyRefused
    return row.id, Versions(row.schema_version, row.facts_version)

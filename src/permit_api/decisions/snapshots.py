"""What an environment decides by and on, kept until its versions in the database are others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, select

from permit_api.decisions.compiling import compile_model, load_facts
from permit_api.store.session import Opened, Row, Session
from permit_api.store.tables import environments, tenants
from permit_core.clock import Clock
from permit_core.database import Database
from permit_core.errors import PermitError
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel

KEPT = 32
"""How many environments are kept at once; the one that was asked longest ago goes first."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Which state of schema and facts."""

    schema: int
    facts: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of an environment, ready to decide. Never changed."""

    versions: Versions
    model: PolicyModel
    facts: Facts
    tenants: dict[str, dict[str, object]]


class EnvironmentGone(PermitError):
    """The environment is not there any more."""


class Snapshots:
    """The snapshots of all environments of a database.

    The caller has just read the versions; when they are the kept ones nothing more is read, so a write of any process
    is seen by the next decision.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def kept(self, environment_id: str, versions: Versions) -> Snapshot | None:
        """The snapshot of these versions or later ones, if it is there."""
        found = self._kept.get(environment_id)
        if found is None or found.versions != versions:
            return None
        self._kept.move_to_end(environment_id)
        return found

    async def at(self, environment_id: str, versions: Versions) -> Snapshot:
        """The snapshot of these versions, or of later ones when a write came in between.

        Raises:
            StoreError: the database is unreachable.
            EnvironmentGone: it was taken away meanwhile.
        """
        found = self.kept(environment_id, versions)
        if found is not None:
            return found
        async with self._loading[environment_id]:  # one loads, the others wait for it
            before = self._kept.get(environment_id)
            if before is not None and before.versions == versions:
                return before
            loaded = await self._database.read(lambda connection: self._load(connection, environment_id, before))
            self._kept[environment_id] = loaded
            self._kept.move_to_end(environment_id)
            while len(self._kept) > KEPT:
                old, _ = self._kept.popitem(last=False)
                self._loading.pop(old, None)
            return loaded

    def _load(self, connection: Connection, environment_id: str, before: Snapshot | None) -> Snapshot:
        found = select(environments).where(environments.c.id == environment_id)
        row: Row | None = connection.execute(found).mappings().one_or_none()
        if row is None:
            raise EnvironmentGone
        versions = Versions(row["schema_version"], row["facts_version"])
        session = Session(Opened(connection, self._clock()), row)
        same = before is not None and before.versions.schema == versions.schema
        model = before.model if before is not None and same else compile_model(session)
        return Snapshot(versions, model, load_facts(session), _tenants(session))


def _tenants(session: Session) -> dict[str, dict[str, object]]:
    return {row["key"]: row["attributes"] or {} for row in session.all_of(tenants)}

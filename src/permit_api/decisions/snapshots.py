"""What an environment decides by and on, kept until its versions in the database are others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, select

from permit_api.decisions.compiling import compile_model
from permit_api.store.session import Opened, Row, Session
from permit_api.store.tables import environments, tenants
from permit_core.clock import Clock
from permit_core.database import Database
from permit_core.errors import PermitError
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore, FactsVersion

KEPT = 32
"""How many environments are kept at once; the one that was asked longest ago goes first."""

Attributes = dict[str, object]


@dataclass(frozen=True, slots=True)
class Versions:
    """Which state of schema and facts."""

    schema: int
    facts: FactsVersion


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of an environment, ready to decide. Never changed.

    Attributes:
        schema: which state of the schema ``model`` is of.
        tenants: their attributes by key.
    """

    schema: int
    model: PolicyModel
    facts: Facts
    tenants: dict[str, Attributes]


class EnvironmentGone(PermitError):
    """The environment is not there any more."""


class Snapshots:
    """The snapshots of all environments of a database.

    The caller has just read the versions; when they are the kept ones nothing more is read, so a write of any process
    is seen by the next decision. Facts that changed are patched, and what they were is not read again.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._facts = CurrentFacts(FactStore(), database, clock)
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def kept(self, environment_id: str, versions: Versions) -> Snapshot | None:
        """The snapshot of these versions, if it can be had without waiting."""
        found = self._kept.get(environment_id)
        if found is None or found.schema != versions.schema:
            return None
        facts = self._facts.peek(environment_id, versions.facts)
        if (
            facts is None or facts.tenants is not found.facts.tenants
        ):  # a tenant was written: it may have other attributes
            return None
        if facts is not found.facts:
            found = self._kept[environment_id] = Snapshot(found.schema, found.model, facts, found.tenants)
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
            before = self.kept(environment_id, versions)
            if before is not None:
                return before
            loaded = self._kept[environment_id] = await self._load(environment_id, self._kept.get(environment_id))
            self._kept.move_to_end(environment_id)
            while len(self._kept) > KEPT:
                old, _ = self._kept.popitem(last=False)
                self._facts.forget(old)
                self._loading.pop(old, None)
            return loaded

    async def _load(self, environment_id: str, before: Snapshot | None) -> Snapshot:
        def schema_and_tenants(connection: Connection) -> tuple[int, PolicyModel, dict[str, Attributes]]:
            found = select(environments).where(environments.c.id == environment_id)
            row: Row | None = connection.execute(found).mappings().one_or_none()
            if row is None:
                raise EnvironmentGone
            session, schema = Session(Opened(connection, self._clock()), row), int(row["schema_version"])
            same = before is not None and before.schema == schema
            model = before.model if before is not None and same else compile_model(session)
            return schema, model, {each["key"]: each["attributes"] or {} for each in session.all_of(tenants)}

        async with self._database.reading() as reading:  # one state of all three
            schema, model, attributes = await reading.run_sync(schema_and_tenants)
            _, facts = await self._facts.state(environment_id, reading, committed=True)
        return Snapshot(schema, model, facts, attributes)

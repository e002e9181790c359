"""The parts of the decisions benchmark: each measures one way of deciding in one company, and answers how long it took.

A further way (over HTTP, by another engine) is a further function in ``PARTS``: it asks ``place.checks`` and says how
long each answer took.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from benchmarks.company import TENANT, Company, make_company, questions
from benchmarks.decision_figures import SMALL, Timing
from benchmarks.opa_server import opa_program, opa_server
from benchmarks.permit_company import PermitServer, permit_server
from permit_core.access import Check, Decision, Effect
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.decision.embedded import EmbeddedPdp
from permit_core.decision.opa import OpaPdp
from permit_core.decision.opa_client import OpaClient
from permit_core.identity import DEFAULT_ENVIRONMENT
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.ports.policy_source import PolicyVersion
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore, StoredFacts
from permit_core.stores.migrate import migrate

T = TypeVar("T")

ENGINE_AT_MOST = 15.0
FRESH_AT_MOST = 60.0
SDK_AT_MOST_RATIO = 1.3
OPA_SECONDS = 30.0
ENOUGH_CHECKS = 10_000
"""With fewer, only the small company is put into a Permit-compatible server."""


@dataclass(frozen=True)
class Place:
    """A company, its facts in memory and in a database of its own, and what is asked about it."""

    people: int
    company: Company
    facts: Facts
    database: Database
    checks: list[Check]
    """Whatever is measured, each of these is asked once."""
    folder: Path
    stack: AsyncExitStack
    """What a part starts for all its rounds ends with the place."""
    servers: list[PermitServer] = field(default_factory=list)


@asynccontextmanager
async def place(people: int, checks: int, folder: Path) -> AsyncIterator[Place]:
    """A company with so many people, for the time of the context."""
    company = make_company(people)
    database = Database.open(f"sqlite+aiosqlite:///{folder / f'company-{people}.db'}")
    try:
        await migrate(database)
        await _store(company, database)
        async with AsyncExitStack() as stack:
            asked = questions(people, checks)
            yield Place(people, company, company.facts(), database, asked, folder, stack)
    finally:
        await database.close()


async def engine(where: Place) -> AsyncIterator[Timing]:
    """The pure function alone; then with the chain of a decision and the remedies of a denial."""
    model, facts, people, part = where.company.model, where.facts, where.people, "engine"
    everything: list[int] = []
    by_effect: dict[Effect, list[int]] = {effect: [] for effect in Effect}
    refused = []
    for check in where.checks:
        nanoseconds, effect = _timed(lambda check: decide(model, facts, check), check)
        everything.append(nanoseconds)
        by_effect[effect].append(nanoseconds)
        if effect is Effect.DENY:
            refused.append(check)
    yield Timing(part, "a decision", people, everything, ENGINE_AT_MOST)
    yield Timing(part, "an allowed one", people, by_effect[Effect.ALLOW], ENGINE_AT_MOST)
    yield Timing(part, "a denied one", people, by_effect[Effect.DENY], ENGINE_AT_MOST)
    chains = [_timed(lambda check: _with_chain(decide(model, facts, check)), check)[0] for check in where.checks]
    yield Timing(part, "a decision and its chain", people, chains)
    helped = [_timed(lambda check: _with_remedies(decide(model, facts, check)), check)[0] for check in refused]
    yield Timing(part, "a denied one and its remedies", people, helped)


async def fresh(where: Place) -> AsyncIterator[Timing]:
    """The decision point of a process, which looks before each decision whether the facts are still the same."""
    pdp = EmbeddedPdp(PolicyVersion(where.company.model), FactStore(), where.database)
    await pdp.decide(where.checks[0])  # reads the snapshot
    part, people = "with freshness check", where.people
    taken = [await _awaited(pdp.decide, check) for check in where.checks]
    yield Timing(part, "a decision", people, taken, FRESH_AT_MOST)
    four = [where.checks[n : n + 4] for n in range(0, len(where.checks) - 3, 4)]

    async def with_remedies(checks: list[Check]) -> list[object]:
        return [decision.remedies for decision in await pdp.decide_many(checks)]

    taken = [await _awaited(with_remedies, each) for each in four]
    yield Timing(part, "four at once, with remedies", people, taken)
    after = []
    with closing(sqlite3.connect(where.database.location, isolation_level=None)) as stranger:
        for check in where.checks[: len(where.checks) // 20]:
            stranger.execute("INSERT INTO seeds VALUES (?, '', '')", [uuid4().hex])
            after.append(await _awaited(pdp.decide, check))
    yield Timing(part, "one after another program wrote", people, after)


async def in_transaction(where: Place) -> AsyncIterator[Timing]:
    """The same within a transaction, as before an effect: one trip to the database's thread."""
    pdp = EmbeddedPdp(PolicyVersion(where.company.model), FactStore(), where.database)
    async with where.database.transaction() as transaction:
        await pdp.decide(where.checks[0], transaction)  # reads the snapshot

        async def decide_in_it(check: Check) -> Decision:
            return await pdp.decide(check, transaction)

        taken = [await _awaited(decide_in_it, check) for check in where.checks[: len(where.checks) // 10]]
    yield Timing("in a transaction", "a decision", where.people, taken)


async def permit_check(where: Place) -> AsyncIterator[Timing]:
    """``permit.check()`` of the official SDK, and the same call to an endpoint that decides nothing, in turns."""
    from permit import Permit  # not at the top: it warns of itself when it is imported

    if where.people > SMALL and len(where.checks) < ENOUGH_CHECKS:
        return  # it takes minutes until ten thousand people are there
    if not where.servers:
        where.servers.append(await where.stack.enter_async_context(permit_server(where.company, where.folder)))
    server = where.servers[0]
    check, empty = (Permit(token=server.key, pdp=f"{server.url}{path}") for path in ("", "/empty"))
    taken: dict[Permit, list[int]] = {check: [], empty: []}
    for asked in where.checks[: len(where.checks) // 20]:
        resource = {"type": asked.resource.type, "key": asked.resource.key, "tenant": asked.actor.tenant}
        for permit, found in taken.items():
            began = time.perf_counter_ns()
            await permit.check(asked.actor.user, asked.action, resource)
            found.append(time.perf_counter_ns() - began)
    part, people = "permit.check()", where.people
    nothing = Timing(part, "to an endpoint that is empty", people, taken[empty])
    yield Timing(part, "to permit-mcp local", people, taken[check], nothing.p50 * SDK_AT_MOST_RATIO)
    yield nothing


async def opa(where: Place) -> AsyncIterator[Timing]:
    """The decision point that asks a real OPA over HTTP; nothing where there is no OPA."""
    program = opa_program()
    if program is None:
        return
    async with opa_server(program) as url:
        client = OpaClient(url, OPA_SECONDS)
        pdp = OpaPdp(PolicyVersion(where.company.model), CurrentFacts(FactStore(), where.database), client, OPA_SECONDS)
        try:
            await pdp.decide(where.checks[0])  # takes model and facts there
            few = where.checks[: len(where.checks) // 50]
            yield Timing(
                "OPA over HTTP", "a decision", where.people, [await _awaited(pdp.decide, each) for each in few]
            )
        finally:
            await pdp.close()


PARTS: dict[str, Callable[[Place], AsyncIterator[Timing]]] = {
    "engine": engine,
    "fresh": fresh,
    "transaction": in_transaction,
    "sdk": permit_check,
    "opa": opa,
}


def _timed(work: Callable[[Check], Decision], check: Check) -> tuple[int, Effect]:
    """How long it took, and the effect; the decision itself goes, as it does in a program."""
    began = time.perf_counter_ns()
    decision = work(check)
    taken = time.perf_counter_ns() - began
    return taken, decision.effect


def _with_chain(decision: Decision) -> Decision:
    _ = decision.chain
    return decision


def _with_remedies(decision: Decision) -> Decision:
    _ = decision.remedies
    return decision


async def _awaited(work: Callable[[T], Awaitable[object]], asked: T) -> int:
    began = time.perf_counter_ns()
    await work(asked)
    return time.perf_counter_ns() - began


async def _store(company: Company, database: Database) -> None:
    """Write a company's facts as rows."""
    stored = StoredFacts(company.users, [TENANT], company.instances, company.assignments, company.tuples)
    async with database.transaction(DEFAULT_ENVIRONMENT) as transaction:
        store = FactStore()
        await store.add_new(DEFAULT_ENVIRONMENT, transaction, stored, {TENANT: "Company"})
        await store.bump(DEFAULT_ENVIRONMENT, transaction, None, utc_now())

"""What facts cost when there are many: loading them, the first decision after one changed, and what the loop notices.

Run it with ``uv run python benchmarks/facts.py``; it takes about a minute. Times are of this machine, so compare within one
run. The targets: 22,000 facts in at most 3 s and 100,000 in at most 15 s; the first decision after one changed fact at most
3 times one after a write that changes no fact, since whatever runs between two decisions empties the processor's caches and
SQLite's; the event loop never held over 10 ms.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.policy.facts_file import FactsFile, load_facts
from permit_core.ports.record import AuditEvent
from permit_core.settings import Settings

ROOT = Path(__file__).parent.parent
TENANT = "default"
SIZES = (22_000, 100_000)
ROUNDS = 200


def many(facts: FactsFile, number: int) -> FactsFile:
    """The family's facts and about ``number`` more: dishes in restaurants, users, and a role for each user."""
    each = number // 4
    users = [User(f"u{n}", f"User {n}") for n in range(each)]
    dishes = [
        ResourceInstance(ResourceRef("dishes", f"many-{n}"), TENANT, {"name": f"Dish {n}", "price_cents": n})
        for n in range(each)
    ]
    links = [
        RelationshipTuple(ResourceRef("restaurants", str(n % 4 + 1)), "restaurant", dish.ref, TENANT)
        for n, dish in enumerate(dishes)
    ]
    given = [RoleAssignment(user.key, "child", TENANT) for user in users]
    return replace(
        facts,
        users=(*facts.users, *users),
        instances=(*facts.instances, *dishes),
        tuples=(*facts.tuples, *links),
        assignments=(*facts.assignments, *given),
    )


async def opened(folder: str) -> Core:
    """A core on an empty database."""
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/facts.db",
        policy_file=str(ROOT / "policies" / "family_food.yaml"),
        facts_file=str(ROOT / "policies" / "family_food.facts.yaml"),
        state_dir=f"{folder}/state",
    )
    return await open_core(settings)


async def watch(late: list[float]) -> None:
    """Note how late the loop is each time it should come back at once."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - began - 0.001)


async def measured(number: int) -> dict[str, float]:
    """Milliseconds, by what they were spent on."""
    with TemporaryDirectory() as folder:
        core = await opened(folder)
        facts = many(load_facts(core.settings.facts_file), number)
        loading: list[float] = []
        watching = asyncio.create_task(watch(loading))
        began = time.perf_counter()
        await core.directory.load(core.system, facts)
        loaded = time.perf_counter() - began
        began = time.perf_counter()
        await core.warm()
        indexed = time.perf_counter() - began
        watching.cancel()
        check = Check(Actor(core.environment, TENANT, "1"), "read", ResourceRef("restaurants", "1"))
        warm, unchanged, first = [], [], []

        async def decision() -> float:
            began = time.perf_counter()
            await core.pdp.decide(check)
            return time.perf_counter() - began

        late: list[float] = []
        watching = asyncio.create_task(watch(late))
        for n in range(ROUNDS):
            user = User(f"u{n}", f"Changed {n}")
            await core.directory.put_user(core.system, user)
            first.append(await decision())
            warm.append(await decision())
            await core.audit.note(AuditEvent("benchmark.nothing", core.system, {}))
            unchanged.append(await decision())
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await core.close()
    return {
        "load all": loaded * 1000,
        "read all once": indexed * 1000,
        "warm decision": statistics.median(warm) * 1000,
        "after another write": statistics.median(unchanged) * 1000,
        "first after a change": statistics.median(first) * 1000,
        "loop held by loading": max(loading) * 1000,
        "loop held at most": max(late) * 1000,
    }


def main() -> None:
    """Measure each size and print a table."""
    sys.stdout.write(f"{'facts':>8}  {'what':<22} {'ms':>10}\n")
    for number in SIZES:
        for name, spent in asyncio.run(measured(number)).items():
            sys.stdout.write(f"{number:>8,}  {name:<22} {spent:>10.3f}\n")


if __name__ == "__main__":
    main()

"""What asking for access costs among 10 users and among 10,000: ``uv run python -m benchmarks.asking``.

CPU time of this process from the question to the notices of everybody who may review it, the median of many.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from permit_core.access import ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.clock import utc_now
from permit_core.entries import RoleAssignment, User
from permit_core.policy.facts_file import load_facts
from permit_core.ports.request import RequestKind
from permit_core.settings import Settings
from permit_core.stores.facts import FactStore, StoredFacts

POLICIES = Path(__file__).resolve().parents[1] / "policies"
ROUNDS = 40
FEW, MANY = 10, 10_000
SUSHI_WORLD, ROLE = ResourceRef("restaurants", "4"), "child-can-view"


async def _company(folder: str, users: int) -> Core:
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/company.db",
        policy_file=str(POLICIES / "family_food.yaml"),
        facts_file=str(POLICIES / "family_food.facts.yaml"),
        state_dir=f"{folder}/state",
    )
    core = await open_core(settings)
    await core.directory.load(core.system, load_facts(settings.facts_file))
    store = FactStore()
    people = [User(f"u{number}", f"User {number}") for number in range(users)]
    given = [RoleAssignment(user.key, "child", core.settings.tenant) for user in people]
    async with core.database.transaction(core.environment) as transaction:
        await store.add_new(core.environment, transaction, StoredFacts(people, [], [], given, []), {})
        await store.bump(core.environment, transaction, None, utc_now())
    return core


async def _milliseconds(users: int) -> float:
    with TemporaryDirectory() as folder:
        core = await _company(folder, users)
        try:
            asker = await core.directory.actor(core.environment, core.settings.tenant, "u0")
            if asker is None:
                raise AssertionError("there is such a user")
            taken = []
            for _ in range(ROUNDS):
                began = time.process_time()
                request = await core.approvals.ask_access(asker, SUSHI_WORLD, ROLE, "I am hungry")
                taken.append(time.process_time() - began)
                if len(await core.notices.after(0)) != 2 * len(taken):
                    raise AssertionError("both parents are told")
                await core.approvals.cancel(asker, RequestKind.ACCESS_REQUEST, request.id)
            return statistics.median(taken) * 1000
        finally:
            await core.close()


async def main() -> None:
    """Measure and print."""
    few, many = await _milliseconds(FEW), await _milliseconds(MANY)
    sys.stdout.write(
        f"asking for access: {few:.1f} ms CPU among {FEW} users, {many:.1f} ms among {MANY:,}: {many / few:.2f} times\n"
    )


if __name__ == "__main__":
    asyncio.run(main())

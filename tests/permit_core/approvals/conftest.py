"""The shipped family, ready to ask and to decide: every rule holds in our own backend and on Permit.io."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from permit_core.bootstrap import Core
from tests.support.clock import SteadyClock
from tests.support.core import begun, make_core
from tests.support.family import Family, meet
from tests.support.permit_io import SeededPermit


@pytest.fixture
async def core(core_on_both: Core) -> Core:
    """The shipped family, in our own backend and in Permit.io."""
    return core_on_both


@pytest.fixture(params=["sqlite", "postgresql", "permit_io"])
async def core_on_each(request: pytest.FixtureRequest, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Core]:
    """The shipped family, in our own backend on each kind of database, and in Permit.io."""
    if request.param == "permit_io":
        permit: SeededPermit = request.getfixturevalue("permit_io")
        opened = await permit.core(tmp_path, clock=clock)
    else:
        server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
        url = await asyncio.to_thread(begun, tmp_path, server, facts=True, tables=True)
        opened = await make_core(tmp_path, database_url=url, clock=clock, facts=False)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def family(core: Core, clock: SteadyClock) -> Family:
    return await meet(core, clock)


@pytest.fixture
async def each_family(core_on_each: Core, clock: SteadyClock) -> Family:
    return await meet(core_on_each, clock)


@pytest.fixture
async def second_process(request: pytest.FixtureRequest, family: Family, tmp_path: Path) -> AsyncIterator[Family]:
    """The same family, seen through connections of another core."""
    if family.core.permit_io is None:
        core = await make_core(tmp_path, clock=family.clock, facts=False)
    else:
        core = await request.getfixturevalue("permit_io").core(tmp_path, clock=family.clock)
    try:
        yield await meet(core, family.clock)
    finally:
        await core.close()

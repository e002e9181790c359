"""The shipped family, ready to ask and to decide."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from permit_core.bootstrap import Core
from tests.support.clock import SteadyClock
from tests.support.core import make_core
from tests.support.family import Family, meet


@pytest.fixture
async def family(core: Core, clock: SteadyClock) -> Family:
    return await meet(core, clock)


@pytest.fixture
async def each_family(core_on_each: Core, clock: SteadyClock) -> Family:
    return await meet(core_on_each, clock)


@pytest.fixture
async def second_process(family: Family, tmp_path: Path) -> AsyncIterator[Family]:
    """The same family, seen through connections of another core."""
    core = await make_core(tmp_path, clock=family.clock, facts=False)
    try:
        yield await meet(core, family.clock)
    finally:
        await core.close()

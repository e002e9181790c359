"""Fixtures: the family that the log tells of."""

from __future__ import annotations

import pytest

from permit_core.bootstrap import Core
from tests.support.clock import SteadyClock
from tests.support.family import Family, meet


@pytest.fixture
async def family(core: Core, clock: SteadyClock) -> Family:
    return await meet(core, clock)


@pytest.fixture
async def family_on_each(core_on_each: Core, clock: SteadyClock) -> Family:
    return await meet(core_on_each, clock)

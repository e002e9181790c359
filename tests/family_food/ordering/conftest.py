"""Ordering is the same whoever decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from family_food.ordering.food import open_food
from tests.family_food.conftest import hold_session
from tests.support.clock import SteadyClock
from tests.support.core import family_settings
from tests.support.ordering import Table
from tests.support.permit_io import SeededPermit


@pytest.fixture(params=["embedded", "permit_io"])
async def table(request: pytest.FixtureRequest, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Table]:
    """The shipped family, able to order, with our own backend and with Permit.io."""
    if request.param == "embedded":
        settings = family_settings(tmp_path)
    else:
        permit: SeededPermit = request.getfixturevalue("permit_io")
        settings = permit.ours(tmp_path)
    food = await open_food(settings, clock=clock)
    try:
        yield await hold_session(food, clock)
    finally:
        await food.close()

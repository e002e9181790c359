"""The family at a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from family_food.ordering.food import Food, open_food
from permit_core.policy.facts_file import load_facts
from tests.support.clock import SteadyClock
from tests.support.core import family_settings
from tests.support.family import meet
from tests.support.ordering import Table


async def hold_session(food: Food, clock: SteadyClock) -> Table:
    await food.core.directory.load(food.core.system, load_facts(food.core.settings.facts_file))
    return Table(food, await meet(food.core, clock))


@pytest.fixture
async def table(tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Table]:
    """The shipped family, able to order, on SQLite."""
    food = await open_food(family_settings(tmp_path), clock=clock)
    try:
        yield await hold_session(food, clock)
    finally:
        await food.close()


@pytest.fixture
async def table_on_each(database_url: str, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Table]:
    """The same on each kind of database in turn."""
    food = await open_food(family_settings(tmp_path, database_url), clock=clock)
    try:
        yield await hold_session(food, clock)
    finally:
        await food.close()

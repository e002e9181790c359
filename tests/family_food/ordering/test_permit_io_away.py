"""When Permit.io is away, nobody orders, and everybody is told why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from family_food.ordering.food import Food, open_food
from permit_core.bootstrap import assemble
from permit_core.errors import Forbidden
from permit_core.identity import Actor
from permit_core.permit_io import client as client_module
from permit_core.policy.loader import read_policy
from tests.support.core import TENANT
from tests.support.fake_permit import fake_permit, saying
from tests.support.family import DEAR_PIZZA, refused
from tests.support.permit_io import SeededPermit

HENRY = Actor("default", TENANT, "3", "Henry")


@pytest.fixture
async def food(permit_io: SeededPermit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Food]:
    """The food ordering whose decision point has been started with another key."""
    await (await open_food(permit_io.ours(tmp_path))).close()
    monkeypatch.setattr(client_module, "FIRST_PAUSE_SECONDS", 0.001)
    async with fake_permit(lambda _method, _path: saying({"detail": "no"}, 403)) as fake:
        settings = permit_io.ours(tmp_path, permit_pdp_url=fake.url)
        whole = await permit_io.core(tmp_path)
        core = assemble(settings, read_policy(settings.policy_path), whole.database)
        yield Food.over(core)
        await core.close()
        await whole.close()


async def test_no_menu_is_shown_and_no_order_placed(food: Food) -> None:
    for attempt in (food.menu.dishes(HENRY, "1"), food.orders.place(HENRY, "1", "1-cheese-pizza")):
        error = await refused(attempt)
        assert isinstance(error, Forbidden)
        assert error.as_dict() == {
            "code": "pdp_refused",
            "message": "The permission service does not accept this program's key, so nothing is allowed.",
            "hint": "Say so, and try again later; nobody needs to be asked for anything.",
        }


async def test_nothing_can_be_asked_for(food: Food) -> None:
    error = await refused(food.core.approvals.ask_operation(HENRY, DEAR_PIZZA, "order", "It is my birthday"))
    assert error.code == "pdp_refused"


async def test_only_ones_own_orders_are_listed(food: Food) -> None:
    assert (await food.orders.list(Actor("default", TENANT, "1", "Joe"))).orders == []

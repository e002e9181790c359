"""The family that is shipped: four people who ask and decide, and the things they do it about."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.bootstrap import Core
from permit_core.entries import ResourceInstance, RoleAssignment
from permit_core.errors import UserFacing
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind
from permit_core.stores.requests import RequestStore
from tests.support.clock import SteadyClock
from tests.support.core import ENVIRONMENT, TENANT

ACCESS = RequestKind.ACCESS_REQUEST
OPERATION = RequestKind.OPERATION_APPROVAL
SUSHI_WORLD = ResourceRef("restaurants", "4")
DEAR_PIZZA = ResourceRef("dishes", "1-pepperoni-pizza")
DEAR_BURGER = ResourceRef("dishes", "2-deluxe-burger")
PIZZA_PALACE = ResourceRef("restaurants", "1")
CHEAP_PIZZA = ResourceRef("dishes", "1-cheese-pizza")
HIDDEN_DISH = ResourceRef("dishes", "4-sushi-platter")
ROLE = "child-can-view"
REVIEWER = "_Reviewer_"
NEEDED = Decision(Effect.REQUIRE_APPROVAL, ReasonCode.APPROVAL_NEEDED)


@dataclass
class Family:
    """A core with the four people in it; parents review, children ask."""

    core: Core
    clock: SteadyClock
    joe: Actor
    jane: Actor
    henry: Actor
    rose: Actor

    async def asks_access(self, who: Actor | None = None, resource: ResourceRef = SUSHI_WORLD) -> Request:
        return await self.core.approvals.ask_access(who or self.henry, resource, ROLE, "We learn about Japan")

    async def asks_operation(self, who: Actor | None = None, resource: ResourceRef = DEAR_PIZZA) -> Request:
        return await self.core.approvals.ask_operation(who or self.henry, resource, "order", "It is my birthday")

    async def approved(self, who: Actor | None = None, resource: ResourceRef = DEAR_PIZZA) -> Request:
        asked = await self.asks_operation(who, resource)
        return await self.core.approvals.approve(self.joe, OPERATION, asked.id)

    async def instance(self, ref: ResourceRef = DEAR_PIZZA) -> ResourceInstance:
        found = await self.core.directory.instance(ENVIRONMENT, TENANT, ref)
        assert found is not None
        return found

    async def costs(self, difference: int, ref: ResourceRef = DEAR_PIZZA) -> None:
        """Change a dish's price by some cents."""
        dish = await self.instance(ref)
        price = dish.attributes["price_cents"] + difference
        await self.core.directory.put_instance(
            self.core.system, replace(dish, attributes={**dish.attributes, "price_cents": price})
        )

    async def use(
        self, who: Actor | None = None, ref: ResourceRef = DEAR_PIZZA, operation: str = "order", **changes: Any
    ) -> Request:
        """Use an approval as an order does: in one transaction with the reading of the dish. ``changes`` are to it."""
        async with self.core.database.transaction() as transaction:
            dish = await self.core.directory.instance(ENVIRONMENT, TENANT, ref, transaction)
            assert dish is not None
            check = Check(who or self.henry, operation, ref)
            return await self.core.approvals.use(check, NEEDED, replace(dish, **changes), transaction)

    async def remove(self, ref: ResourceRef) -> None:
        """Take an instance out of the world, as a later version of the menu might."""
        if self.core.permit_io is not None:
            await self.core.permit_io.sdk("an instance", lambda sdk: sdk.api.resource_instances.delete(str(ref)))
            return
        assert await self.core.directory.remove_instance(self.core.system, ref)

    async def gives(self, who: Actor, role: str, resource: ResourceRef | None = None) -> None:
        await self.core.directory.assign(self.core.system, RoleAssignment(who.user, role, TENANT, resource))

    async def takes(self, who: Actor, role: str, resource: ResourceRef | None = None) -> None:
        await self.core.directory.unassign(self.core.system, RoleAssignment(who.user, role, TENANT, resource))

    async def may(self, who: Actor, action: str, resource: ResourceRef) -> bool:
        return (await self.core.pdp.decide(Check(who, action, resource))).allowed

    async def stored(self, request: Request) -> Request:
        """The row, as it is, without touching it."""
        async with self.core.database.reading() as transaction:
            found = await RequestStore().get(ENVIRONMENT, transaction, request.kind, request.id)
        assert found is not None
        return found

    async def audited(self, prefix: str = "request.") -> list[str]:
        return [record.event for record in await self.core.audit.records("default") if record.event.startswith(prefix)]


async def meet(core: Core, clock: SteadyClock) -> Family:
    people = [await core.directory.actor(ENVIRONMENT, TENANT, key) for key in ("1", "2", "3", "4")]
    joe, jane, henry, rose = people
    assert joe is not None
    assert jane is not None
    assert henry is not None
    assert rose is not None
    return Family(core, clock, joe, jane, henry, rose)


async def refused(attempt: Awaitable[Any]) -> UserFacing:
    """Await something that must be refused, and give the refusal."""
    with pytest.raises(UserFacing) as caught:
        await attempt
    return caught.value

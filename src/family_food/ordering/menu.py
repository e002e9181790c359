"""The menu: restaurants and dishes are resource instances, and the policy says who may order what."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from family_food.ordering import names
from family_food.ordering.results import DishList, DishView
from permit_core.access import UNDECIDED, Check, Decision, Effect, ResourceRef
from permit_core.bootstrap import Core
from permit_core.database import Transaction
from permit_core.entries import ResourceInstance
from permit_core.errors import Forbidden, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.page import MAX_PER_PAGE
from permit_core.views import plain

logger = logging.getLogger(__name__)

# The words of the policy that the food ordering speaks.
RESTAURANTS = "restaurants"
DISHES = "dishes"
RESTAURANT_OF_DISH = "restaurant"
READ = "read"
ORDER = "order"

Mark = Literal["allowed", "needs_approval", "approved", "denied"]


@dataclass(frozen=True, slots=True)
class Dish:
    """A dish as it stands on the menu now."""

    instance: ResourceInstance
    price_cents: int

    @classmethod
    def of(cls, instance: ResourceInstance) -> Dish | None:
        """The dish; None for an instance without a price in whole cents, which cannot be sold."""
        price = instance.attributes.get("price_cents")
        if isinstance(price, bool) or not isinstance(price, int) or price < 0:
            logger.warning("%s has no price in whole cents and is left off the menu", instance.ref)
            return None
        return cls(instance, price)

    @property
    def key(self) -> str:
        """The dish's key."""
        return self.instance.ref.key or ""

    @property
    def name(self) -> str:
        """What it is called, on one line."""
        return plain(self.instance.name)


def price_text(cents: int) -> str:
    """The price for people: ``2299`` is ``22.99``."""
    return f"{cents // 100}.{cents % 100:02d}"


class Menu:
    """Finds restaurants and dishes for somebody, and says what that somebody may order."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def dishes(self, actor: Actor, restaurant: str) -> DishList:
        """The menu of one restaurant, each dish marked by the decision that an order of it would get now.

        Raises:
            NotFound: ``no_such_restaurant``.
            InvalidInput: ``ambiguous_restaurant``, ``invalid_resource``.
            Forbidden: ``access_denied``: the policy does not let this user see the menu; with ``ask_for``.
        """
        place = await self.open(actor, restaurant)
        dishes = await self.served_at(place)
        async with self._core.database.reading() as reading:
            decisions = await self._core.pdp.decide_many(
                [order_check(actor, dish.instance.ref) for dish in dishes], reading
            )
            marks = [
                await self._mark(actor, dish, decision, reading)
                for dish, decision in zip(dishes, decisions, strict=True)
            ]
        return DishList(
            restaurant_key=place.ref.key or "",
            restaurant_name=plain(place.name),
            dishes=[
                DishView(
                    key=dish.key,
                    name=dish.name,
                    price_cents=dish.price_cents,
                    price=price_text(dish.price_cents),
                    order=mark,
                )
                for dish, mark in zip(dishes, marks, strict=True)
            ],
        )

    async def open(self, actor: Actor, restaurant: str) -> ResourceInstance:
        """The restaurant somebody means, if its menu is open to them.

        Raises:
            NotFound: ``no_such_restaurant``.
            InvalidInput: ``ambiguous_restaurant``, ``invalid_resource``.
            Forbidden: ``access_denied``, with ``ask_for``.
        """
        place = await self._restaurant(actor, restaurant)
        check = Check(actor, READ, place.ref)
        decision = await self._core.pdp.decide(check)
        if not decision.allowed:
            raise access_denied(f"The menu of {plain(place.name)} is not open to {actor.name}.", decision)
        return place

    async def overview(self, actor: Actor) -> list[tuple[ResourceInstance, list[Dish]]]:
        """Every restaurant in order, with its dishes when its menu is open to this user, else with none."""
        places = await self._restaurants(actor.tenant)
        decisions = await self._core.pdp.decide_many([Check(actor, READ, place.ref) for place in places])
        return [
            (place, await self.served_at(place) if decision.allowed else [])
            for place, decision in zip(places, decisions, strict=True)
        ]

    async def find_dish(self, actor: Actor, place: ResourceInstance, text: str) -> Dish:
        """The dish of this restaurant that somebody means by a key or a name.

        Raises:
            NotFound: ``no_such_dish``, or ``wrong_restaurant`` when another restaurant open to this user has it.
            InvalidInput: ``ambiguous_dish``, with ``candidates``.
        """
        wanted = text.strip().removeprefix(f"{DISHES}:")
        dishes = {dish.key: dish for dish in await self.served_at(place)}
        found = names.find(wanted, {key: dish.name for key, dish in dishes.items()})
        if len(found) == 1:
            return dishes[found[0]]
        if found:
            candidates = [{"key": key, "name": dishes[key].name} for key in found]
            raise InvalidInput(
                f"{plain(place.name)} has several dishes like that.",
                code="ambiguous_dish",
                hint=f"Ask which is meant: {', '.join(each['name'] for each in candidates)}.",
                candidates=candidates,
            )
        elsewhere = await self._elsewhere(actor, place, wanted)
        if elsewhere is not None:
            raise NotFound(
                f"That dish is not on the menu of {plain(place.name)}.",
                code="wrong_restaurant",
                hint=f"{plain(elsewhere.name)} (restaurant_id {elsewhere.ref.key}) has it.",
            )
        raise NotFound(
            f"{plain(place.name)} has no such dish.",
            code="no_such_dish",
            hint="Use a key or a name from list_dishes.",
        )

    async def served_at(self, place: ResourceInstance) -> list[Dish]:
        """What is on the menu, in the menu's order."""
        found = await self._core.directory.objects(self._core.environment, place.tenant, place.ref, RESTAURANT_OF_DISH)
        dishes = [Dish.of(each) for each in found if each.ref.type == DISHES]
        return [dish for dish in dishes if dish is not None]

    async def _mark(self, actor: Actor, dish: Dish, decision: Decision, reading: Transaction) -> Mark:
        match decision.effect:
            case Effect.ALLOW:
                return "allowed"
            case Effect.REQUIRE_APPROVAL:
                usable = await self._core.approvals.usable(actor, ORDER, dish.instance, reading)
                return "needs_approval" if usable is None else "approved"
            case _:
                return "denied"

    async def _restaurant(self, actor: Actor, text: str) -> ResourceInstance:
        wanted = text.strip()
        if wanted.startswith(f"{RESTAURANTS}:"):
            wanted = ResourceRef.parse(wanted).key or ""
        places = {place.ref.key or "": place for place in await self._restaurants(actor.tenant)}
        found = names.find(wanted, {key: plain(place.name) for key, place in places.items()})
        if len(found) == 1:
            return places[found[0]]
        if found:
            candidates = [{"key": key, "name": plain(places[key].name)} for key in found]
            raise InvalidInput(
                "Several restaurants are called like that.",
                code="ambiguous_restaurant",
                hint=f"Ask which is meant: {', '.join(each['name'] for each in candidates)}.",
                candidates=candidates,
            )
        raise NotFound(
            "There is no such restaurant.",
            code="no_such_restaurant",
            hint="Use a key from list_resource_instances.",
        )

    async def _restaurants(self, tenant: str) -> list[ResourceInstance]:
        found: list[ResourceInstance] = []
        number = 1
        while True:
            page = await self._core.directory.instances(
                self._core.environment, tenant, RESTAURANTS, number, MAX_PER_PAGE
            )
            found += page.items
            if not page.items or len(found) >= page.total:
                return found
            number += 1

    async def _elsewhere(self, actor: Actor, place: ResourceInstance, wanted: str) -> ResourceInstance | None:
        """Another restaurant whose menu is open to this user and has the dish."""
        others = [each for each in await self._restaurants(actor.tenant) if each.ref != place.ref]
        decisions = await self._core.pdp.decide_many([Check(actor, READ, each.ref) for each in others])
        for other, decision in zip(others, decisions, strict=True):
            if decision.allowed:
                menu = {dish.key: dish.name for dish in await self.served_at(other)}
                if names.find(wanted, menu):
                    return other
        return None


def order_check(actor: Actor, dish: ResourceRef) -> Check:
    """The question that decides an order; asked for the menu's marks and for the order alike."""
    return Check(actor, ORDER, dish)


def access_denied(message: str, decision: Decision) -> Forbidden:
    """A refusal that says what can be asked for instead, or that nobody could be asked."""
    if decision.reason_code in UNDECIDED:
        return Forbidden(
            UNDECIDED[decision.reason_code],
            code=decision.reason_code.value,
            hint="Say so, and try again later; nobody needs to be asked for anything.",
            decision=decision,
        )
    remedies = [remedy.as_dict() for remedy in decision.remedies]
    return Forbidden(
        message,
        code="access_denied",
        hint="Offer to ask for what ask_for names." if remedies else "Asking does not help here.",
        decision=decision,
        ask_for=remedies,
    )

"""What the assistant can do about food. Every tool acts for a actor, whom no model chooses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from family_food.ordering.food import Food
from family_food.ordering.results import DishList, OrderPage, OrderView
from permit_core.identity import Actor
from permit_core.page import MAX_PER_PAGE

RestaurantId = Annotated[
    str,
    Field(
        description="The restaurant: its key or resource_instance from list_resource_instances; its name will do when "
        "it is clear which one is meant.",
        min_length=1,
        max_length=201,
    ),
]


class FoodTools:
    """``list_dishes``, ``order_dish`` and ``list_orders``. The docstrings are what models read."""

    def __init__(self, food: Food) -> None:
        self._food = food

    async def list_dishes(self, actor: Actor, restaurant_id: RestaurantId) -> DishList:
        """List the menu of one restaurant: every dish with its price, and whether this person may order it.

        Use it before ordering, or when somebody wants to know what there is or what they may have. `order` says for
        each dish what order_dish would answer now: `allowed`; `approved` (a one-time approval is waiting to be used);
        `needs_approval` (offer create_operation_approval first); `denied`. When the whole menu is closed to the
        person, the call is refused with `access_denied`, and `ask_for` says what can be asked for.
        """
        return await self._food.menu.dishes(actor, restaurant_id)

    async def order_dish(
        self,
        actor: Actor,
        restaurant_id: RestaurantId,
        dish_name: Annotated[
            str,
            Field(
                description="One dish: its key or its name from list_dishes. Small slips in a name are understood.",
                min_length=1,
                max_length=200,
            ),
        ],
    ) -> OrderView:
        """Order one dish, once, for this person. Each call that succeeds is another order.

        Use it only when the person has said what they want. The answer is the order that was placed. A refusal says
        why in `code`: `approval_needed` and others with `ask_for` mean that asking would help: offer it, get a
        reason from the person, and call create_operation_approval or create_access_request with what `ask_for` says;
        `approval_pending` means that a reviewer has not decided yet. `no_such_dish`, `wrong_restaurant` and
        `ambiguous_dish` say in `hint` what to do.
        """
        return await self._food.orders.place(actor, restaurant_id, dish_name)

    async def list_orders(
        self,
        actor: Actor,
        page: Annotated[int, Field(description="Which page, from 1.", ge=1, le=1_000_000)] = 1,
        per_page: Annotated[int, Field(description="How many orders a page has.", ge=1, le=MAX_PER_PAGE)] = 30,
    ) -> OrderPage:
        """List orders that were placed, newest first: the person's own, and for parents the whole family's.

        Use it to say what was ordered, by whom, when and for how much; or to find out whether an order went through.
        """
        return await self._food.orders.list(actor, page, per_page)

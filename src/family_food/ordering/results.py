"""What the food tools answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class DishView(BaseModel):
    """A dish, and what the acting user may do with it: the answer of the very decision an order would get."""

    key: str = Field(description="The dish's key, for order_dish and create_operation_approval (as dishes:KEY).")
    name: str
    price_cents: int
    price: str = Field(description="The price for people: 22.99")
    order: Literal["allowed", "needs_approval", "approved", "denied"] = Field(
        description="allowed: order_dish will work; needs_approval: create_operation_approval first; approved: an "
        "approval is waiting to be used, order_dish will use it; denied: may not be ordered."
    )


class DishList(BaseModel):
    """The menu of one restaurant."""

    restaurant_key: str
    restaurant_name: str
    dishes: list[DishView]


class OrderView(BaseModel):
    """An order that was placed."""

    id: str
    user_name: str
    restaurant_name: str
    dish_key: str
    dish_name: str
    price_cents: int
    price: str
    approval_id: str | None = None
    placed_at: datetime


class OrderPage(BaseModel):
    """A page of orders, newest first."""

    orders: list[OrderView]
    total: int
    page: int
    per_page: int

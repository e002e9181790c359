"""Facts as the tools tell them, read leniently: what cannot be read is trouble, never a crash."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from family_food.models.demo.asks import UNREADABLE, Answer, Ask, Asks, Refused, Trouble, ask, ask_all
from family_food.ordering.results import DishList, DishView, OrderPage, OrderView
from permit_core.access import Remedy
from permit_core.views import RequestView

M = TypeVar("M", bound=BaseModel)

_MOST_PAGES = 5
_AT_ONCE = 12
_LIST_TOOLS = ("list_access_requests", "list_operation_approvals")


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Restaurant(_Fact):
    """A restaurant, and how far the person may use it."""

    resource_instance: str
    key: str
    name: str
    your_access: Literal["allowed", "can_be_requested", "denied"] | None = None
    requestable_role: str | None = None

    @property
    def open(self) -> bool:
        """Its menu can be read, as far as is known."""
        return self.your_access in ("allowed", None)

    @property
    def remedy(self) -> Remedy | None:
        """The request that would open it."""
        if self.your_access != "can_be_requested":
            return None
        return Remedy("access_request", self.resource_instance, role=self.requestable_role)


class _RestaurantPage(_Fact):
    instances: list[Restaurant]
    total: int = 0


class _RequestPage(_Fact):
    requests: list[RequestView]
    total: int = 0


class Dish(_Fact):
    """A dish on the menu of a restaurant: enough to order it and to speak of it."""

    restaurant_key: str
    restaurant_name: str
    key: str
    name: str
    price: str = ""
    price_cents: int = 0
    order: str = "allowed"

    @classmethod
    def of(cls, menu: DishList, dish: DishView) -> Dish:
        """The dish as a menu shows it."""
        return cls(restaurant_key=menu.restaurant_key, restaurant_name=menu.restaurant_name, **dish.model_dump())


def read(model: type[M], tool: str, answer: Answer) -> M:
    """Validate what a tool answered.

    Raises:
        Refused: it refused, or its answer is not what it publishes.
    """
    if isinstance(answer, Trouble):
        raise Refused(answer)
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise Refused(Trouble(tool, UNREADABLE)) from error


def restaurants() -> Asks[list[Restaurant]]:
    """All restaurants.

    Raises:
        Refused: they cannot be listed.
    """
    found: list[Restaurant] = []
    for page in range(1, _MOST_PAGES + 1):
        content = yield from ask("list_resource_instances", page=page, per_page=100)
        listed = read(_RestaurantPage, "list_resource_instances", content)
        found += listed.instances
        if not listed.instances or len(found) >= listed.total:
            break
    return found


def menu(restaurant_key: str) -> Asks[list[Dish]]:
    """The dishes of one restaurant.

    Raises:
        Refused: its menu may not be seen.
    """
    content = yield from ask("list_dishes", restaurant_id=restaurant_key)
    return dishes_of(read(DishList, "list_dishes", content))


def menus(places: list[Restaurant]) -> Asks[tuple[list[list[Dish]], list[tuple[Restaurant, Trouble]]]]:
    """The menus of several restaurants, asked for in parallel, and what went wrong with the others."""
    answers: list[Answer] = []
    for start in range(0, len(places), _AT_ONCE):
        asks = [Ask("list_dishes", {"restaurant_id": place.key}) for place in places[start : start + _AT_ONCE]]
        answers += yield from ask_all(*asks)
    found: list[list[Dish]] = []
    troubles: list[tuple[Restaurant, Trouble]] = []
    for place, answer in zip(places, answers, strict=True):
        try:
            found.append(dishes_of(read(DishList, "list_dishes", answer)))
        except Refused as refusal:
            troubles.append((place, refusal.trouble))
    return found, troubles


def dishes_of(listed: DishList) -> list[Dish]:
    """The dishes of a menu, each knowing its restaurant."""
    return [Dish.of(listed, dish) for dish in listed.dishes]


def orders(per_page: int) -> Asks[OrderPage]:
    """The newest orders.

    Raises:
        Refused: they cannot be listed.
    """
    content = yield from ask("list_orders", page=1, per_page=per_page)
    return read(OrderPage, "list_orders", content)


def place_order(restaurant_key: str, dish_key: str) -> Asks[OrderView]:
    """Order one dish.

    Raises:
        Refused: the order was not placed.
    """
    content = yield from ask("order_dish", restaurant_id=restaurant_key, dish_name=dish_key)
    return read(OrderView, "order_dish", content)


def requests(status: str, tools: frozenset[str]) -> Asks[list[RequestView]]:
    """Requests of both kinds, oldest first.

    Raises:
        Refused: neither kind can be listed.
    """
    wanted = [tool for tool in _LIST_TOOLS if tool in tools] or list(_LIST_TOOLS)
    answers = yield from ask_all(*(Ask(tool, {"status": status, "page": 1, "per_page": 100}) for tool in wanted))
    found: list[RequestView] = []
    refusals: list[Refused] = []
    for tool, answer in zip(wanted, answers, strict=True):
        try:
            found += read(_RequestPage, tool, answer).requests
        except Refused as refusal:
            refusals.append(refusal)
    if len(refusals) == len(wanted):
        raise refusals[0]
    return sorted(found, key=lambda request: (request.created_at, request.id))


def make_request(remedy: Remedy, reason: str) -> Asks[RequestView]:
    """Ask a human, in the asker's own words.

    Raises:
        Refused: the request was not made.
    """
    arguments = {"resource_instance": remedy.resource_instance, "reason": reason}
    if remedy.kind == "access_request":
        content = yield from ask("create_access_request", **arguments, **({"role": remedy.role} if remedy.role else {}))
        return read(RequestView, "create_access_request", content)
    operation = {"operation": remedy.operation} if remedy.operation else {}
    content = yield from ask("create_operation_approval", **arguments, **operation)
    return read(RequestView, "create_operation_approval", content)


def decide(verb: str, kind: str, request_id: str, comment: str) -> Asks[RequestView]:
    """Approve or deny one request.

    Raises:
        Refused: it was not decided.
    """
    tool = f"{verb}_{kind}"
    words = {"reviewer_comment": comment} if comment else {}
    content = yield from ask(tool, **{f"{kind}_id": request_id}, **words)
    return read(RequestView, tool, content)

"""What a call came to, in a few words, made from what tools answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from family_food.conversations.outcomes import MAX_CHARS, happened, may_have_happened, outcome
from family_food.ordering.results import DishList, DishView, OrderPage, OrderView
from permit_core.views import PersonText, RequestView
from permit_mcp.results import InstancePage, InstanceView, RequestPage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = OrderView(
    id="ord_1", user_name="Henry", restaurant_name="Pizza Palace", dish_key="1-cheese-pizza", dish_name="Cheese Pizza",
    price_cents=899, price="8.99", placed_at=NOON,
)  # fmt: skip
DISH = DishView(key="1-cheese-pizza", name="Cheese Pizza", price_cents=899, price="8.99", order="allowed")


def request(**changes: Any) -> RequestView:
    facts = {
        "id": "req_1", "kind": "operation_approval", "status": "pending", "requesting_user": "Henry", "operation": "order",
        "resource_instance": "dishes:1", "resource_name": "Cheese Pizza", "created_at": NOON,
        "reason": PersonText(written_by="Henry", text="hungry"),
    }  # fmt: skip
    return RequestView.model_validate(facts | changes)


ACCESS = {"kind": "access_request", "operation": None, "role": "child-can-view", "resource_name": "Sushi Bar"}
PLACE = InstanceView(resource_instance="restaurants:4", key="4", name="Sushi", attributes={}, your_access="allowed")

RESULTS: list[tuple[Any, str]] = [
    (ORDER, "ordered Cheese Pizza, 8.99"),
    (DishList(restaurant_key="1", restaurant_name="Pizza Palace", dishes=[DISH] * 5), "5 dishes"),
    (DishList(restaurant_key="1", restaurant_name="Pizza Palace", dishes=[DISH]), "1 dish"),
    (OrderPage(orders=[ORDER], total=31, page=2, per_page=30), "31 orders"),
    (OrderPage(orders=[], total=0, page=1, per_page=30), "0 orders"),
    (RequestPage(requests=[request()], total=1, page=1, per_page=30), "1 request"),
    (InstancePage(instances=[PLACE] * 4, total=4, page=1, per_page=30), "4 restaurants"),
    (request(), "asked to order Cheese Pizza"),
    (request(**ACCESS), "asked for access to Sushi Bar"),
    (request(status="approved"), "approved: order Cheese Pizza"),
    (request(status="denied", **ACCESS), "denied: access to Sushi Bar"),
    ({"result": "a long text of a tool"}, "done"),
    ({}, "done"),
    ({"things": [1, 2]}, "2 things"),
]


@pytest.mark.parametrize(("result", "words"), RESULTS, ids=[words for _, words in RESULTS])
def test_a_result_is_told_in_a_few_words(result: Any, words: str) -> None:
    content = result if isinstance(result, dict) else result.model_dump(mode="json")
    assert outcome(content) == words


def test_what_has_happened_is_a_sentence() -> None:
    assert happened("order_dish", ORDER.model_dump(mode="json")) == (
        "The order had already been placed: Cheese Pizza, 8.99."
    )
    made = happened("create_operation_approval", request().model_dump(mode="json"))
    assert made == "The request had already been made: order Cheese Pizza."
    decided = happened("approve_access_request", request(status="approved", **ACCESS).model_dump(mode="json"))
    assert decided == "The request had already been approved: access to Sushi Bar."
    assert happened("wash_up", {"result": "clean"}) == "wash_up had already been done."
    assert may_have_happened("wash_up") == "wash_up was under way and may have had its effect."


HOSTILE: list[dict[str, Any]] = [
    {"id": "x", "dish_name": "\x1b[2J\u202eevil\n" * 50, "price": "0.01"},
    {"id": "x", "kind": "k", "status": "approved", "resource_name": "\x07" + "y" * 500, "operation": 7},
    {"dishes": [None], "total": "many"},
    {"x" * 500: []},
    {"instances": [{"your_access": "allowed", "resource_instance": ["restaurants:1"]}]},
    {"id": 1, "dish_name": None, "price": {}},
]


@pytest.mark.parametrize("content", HOSTILE)
def test_whatever_a_tool_answers_is_one_short_line(content: dict[str, Any]) -> None:
    for words in (outcome(content), happened("tool", content)):
        assert words.isprintable()
        assert 0 < len(words) <= MAX_CHARS + 1

"""Following up: how one's requests stand, what waits for a decision, what was ordered."""

from __future__ import annotations

from family_food.models.demo import facts
from family_food.models.demo.facts import Dish, Restaurant
from family_food.models.demo.intents import Requests
from family_food.models.demo.memory import ListedRequest, Memory, OrderIt, own_requests
from family_food.models.demo.plan import Plan, Reply, Scene
from family_food.models.demo.wording import (
    bullets,
    numbered,
    order_line,
    paragraphs,
    pinned,
    request_line,
    said,
    subject,
)
from permit_core.views import RequestView, plain

_MOST_ORDERS = 20
_STANDING = {
    "approved": "approved",
    "denied": "denied",
    "cancelled": "withdrawn",
    "expired": "left unanswered until it expired",
    "used": "approved",
}


def show_orders(scene: Scene) -> Plan:
    """What was ordered, newest first."""
    page = yield from facts.orders(_MOST_ORDERS)
    if not page.orders:
        return Reply("Nothing has been ordered yet.", scene.memory)
    whose = len({order.user_name for order in page.orders}) > 1 or scene.reviews
    more = f"These are the newest of {page.total}." if page.total > len(page.orders) else ""
    lines = bullets(order_line(order, whose=whose) for order in page.orders)
    return Reply(paragraphs("Ordered so far:\n" + lines, more), scene.memory)


def show_requests(intent: Requests, scene: Scene) -> Plan:
    """The requests to decide, for whoever decides; for others how their own stand."""
    if not scene.reviews:
        return (yield from show_standing(scene))
    found = yield from facts.requests(intent.status, scene.tools)
    if not found:
        return Reply(f"There are no {intent.status} requests.", scene.memory)
    if intent.status != "pending":
        return Reply(f"The {intent.status} requests:\n" + bullets(request_line(one) for one in found), scene.memory)
    return list_pending(found, scene.memory)


def list_pending(found: list[RequestView], memory: Memory, lead: str = "") -> Reply:
    """A numbered list, whose numbers can be used to decide."""
    one = len(found) == 1
    lead = lead or ("One request is waiting:" if one else f"{len(found)} requests are waiting:")
    how = 'Say "approve 1" or "deny 1", with a comment if you like.' if found else ""
    listed = [as_listed(request) for request in found]
    text = paragraphs(f"{lead}\n{numbered(request_line(request) for request in found)}", how)
    return Reply(text, memory.showing(listed))


def as_listed(request: RequestView) -> ListedRequest:
    """The request as it is remembered after it was shown."""
    words = [
        request.requesting_user,
        request.resource_name,
        pinned(request),
        request.operation or "",
        request.kind,
        request.id,
    ]
    label = f"{plain(request.requesting_user)}'s request to {subject(request)}"
    return ListedRequest(id=request.id, kind=request.kind, label=label, words=words)


def show_standing(scene: Scene) -> Plan:
    """How one's own requests stand, from what was heard in this conversation and from what is possible now."""
    listed = yield from facts.restaurants()
    found, _ = yield from facts.menus([one for one in listed if one.open])
    ready = [dish for dishes in found for dish in dishes if dish.order == "approved"]
    mine = own_requests(scene.entries)
    lines = [f"You asked to {subject(one)}: {_standing(one, listed, ready)}" for one in mine]
    memory = scene.memory
    offered = ""
    if len(ready) == 1:
        offered = f"{ready[0].name} is approved and not ordered yet. Shall I order it?"
        memory = memory.about(ready[0]).asking(OrderIt(dish=ready[0]))
    elif ready:
        offered = "Approved and not ordered yet:\n" + bullets(dish.name for dish in ready)
    nothing = "" if lines or ready else "You have not asked for anything in this conversation."
    return Reply(paragraphs(bullets(lines), offered, nothing), memory)


def _standing(request: RequestView, places: list[Restaurant], ready: list[Dish]) -> str:
    if request.status == "pending":
        key = request.resource_instance.partition(":")[2]
        given = any(place.key == key and place.your_access == "allowed" for place in places)
        if given or any(dish.key == key for dish in ready):
            return "it was approved"
        return "nobody has answered yet; I'll tell you as soon as somebody does"
    by = f" by {plain(request.decided_by)}" if request.decided_by else ""
    words = f", with the words {said(request.comment)}" if request.comment else ""
    return f"it was {_STANDING[request.status]}{by}{words}{' and is used up now' if request.status == 'used' else ''}"

"""How things are put: brief plain sentences, lists, and people's words in quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC

from family_food.models.demo.facts import Dish, Restaurant
from family_food.ordering.results import OrderView
from permit_core.views import PersonText, RequestView, plain

# Marks of a menu, by what the decision on an order would be.
_MARKS = {
    "needs_approval": "needs a parent's OK",
    "approved": "approved, ready to order",
    "denied": "not for you to order",
}
_ENDED = re.compile(r"[.!?:]\u201d?$")
_LONGEST_QUOTE = 600
_PINNED_CENTS = "_cents"


def quoted(text: str) -> str:
    """Somebody's words, shown as such on one line."""
    return "\u201c" + plain(text)[:_LONGEST_QUOTE].replace("\u201c", '"').replace("\u201d", '"') + "\u201d"


def said(words: PersonText | None) -> str:
    """What a person wrote, quoted; "" for nothing."""
    return quoted(words.text) if words and words.text else ""


def joined(parts: Sequence[str], word: str = "and") -> str:
    """``a, b and c``."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def numbered(lines: Iterable[str]) -> str:
    """A numbered list."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def paragraphs(*parts: str) -> str:
    """Parts with an empty line between; empty parts are left out."""
    return "\n\n".join(part for part in parts if part)


def sentences(*parts: str) -> str:
    """Parts one after another, each ending as a sentence does; empty parts are left out."""
    stripped = (part.strip() for part in parts)
    return " ".join(part if _ENDED.search(part) else part + "." for part in stripped if part)


def dish_line(dish: Dish, *, where: bool = False) -> str:
    """A dish on a list: name, price, and what stands in the way of ordering it."""
    mark = _MARKS.get(dish.order, "")
    return f"{plain(dish.name)}{f' at {plain(dish.restaurant_name)}' if where else ''}, {dish.price}{f' ({mark})' if mark else ''}"


def menu_block(dishes: Sequence[Dish]) -> str:
    """The menu of one restaurant under its name."""
    return f"{plain(dishes[0].restaurant_name)}:\n{bullets(dish_line(dish) for dish in dishes)}" if dishes else ""


def restaurant_line(place: Restaurant) -> str:
    """A restaurant on a list."""
    mark = {"can_be_requested": " (ask a parent for access)", "denied": " (not open to you)"}.get(
        place.your_access or "", ""
    )
    return plain(place.name) + mark


def order_line(order: OrderView, *, whose: bool) -> str:
    """An order on a list."""
    who = f"{plain(order.user_name)}: " if whose else ""
    when = order.placed_at.astimezone(UTC)
    return (
        f"{who}{plain(order.dish_name)} from {plain(order.restaurant_name)}, {order.price}, {when:%d %b %Y, %H:%M} UTC"
    )


def pinned(request: RequestView) -> str:
    """What was fixed when it was asked: ``22.99`` for a price, ``name value`` for all else."""
    parts = []
    for name, value in request.pinned.items():
        if name.endswith(_PINNED_CENTS) and isinstance(value, int):
            parts.append(f"{value // 100}.{value % 100:02d}")
        else:
            parts.append(f"{plain(str(name))} {plain(str(value))}")
    return ", ".join(parts)


def subject(request: RequestView) -> str:
    """What is asked for, as "may ... ": "order the Soup (4.99)" or "order from Soup Hut"."""
    name = plain(request.resource_name) or request.resource_instance
    if request.kind == "access_request":
        return f"order from {name}"
    fixed = pinned(request)
    return f"{plain(request.operation or 'use')} the {name}{f' ({fixed})' if fixed else ''}"


def request_line(request: RequestView) -> str:
    """A request on a list: who, what, price, reason, when."""
    when = request.created_at.astimezone(UTC)
    status = "" if request.status == "pending" else f" [{request.status}]"
    reason = said(request.reason)
    return (
        f"{plain(request.requesting_user)} would like to {subject(request)}{status}"
        f"{f': {reason}' if reason else ''} (asked {when:%d %b %Y, %H:%M} UTC)"
    )

"""What a ``listing`` frame tells, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from family_food.terminal.display.approval_facts import in_words, pinned, seconds_left, wish
from family_food.terminal.display.moments import shown_time
from family_food.terminal.visible import one_line, quoted

Item = Mapping[str, Any]

_TITLES = {"requests": "Requests", "orders": "Orders", "tools": "Tools", "menu": "Menu"}
_COLUMNS = {
    "requests": ("Who", "What", "Terms", "Reason", "Status", "Expires"),
    "orders": ("When", "Who", "Dish", "Restaurant", "Price"),
    "tools": ("Tool", "What it does", "Acts"),
    "menu": ("Restaurant", "Dishes"),
}


def listing_table(frame: Item) -> tuple[str, list[str], list[list[str]]]:
    """Title, headings and rows."""
    what = one_line(frame.get("what"))
    items = frame.get("items")
    row = _ROWS.get(what, _any_row)
    rows = [row(item) for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return _TITLES.get(what, "List"), list(_COLUMNS.get(what, ("",))), rows


def _request(item: Item) -> list[str]:
    reason, left = item.get("reason"), seconds_left(item.get("expires_at"))
    return [
        one_line(item.get("requesting_user")),
        wish(item),
        ", ".join(f"{name.lower()} {value}" for name, value in pinned(item)),
        quoted(reason.get("text")) if isinstance(reason, Mapping) else "",
        one_line(item.get("status")),
        in_words(left) if left is not None and item.get("status") in ("pending", "approved") else "",
    ]


def _order(item: Item) -> list[str]:
    return [
        shown_time(item.get("placed_at")),
        *(one_line(item.get(name)) for name in ("user_name", "dish_name", "restaurant_name", "price")),
    ]


def _tool(item: Item) -> list[str]:
    return [
        one_line(item.get("name")),
        one_line(item.get("title")) or one_line(item.get("description")),
        "yes" if item.get("acts") else "",
    ]


def _menu(item: Item) -> list[str]:
    dishes = item.get("dishes")
    names = ", ".join(one_line(dish) for dish in dishes) if isinstance(dishes, list) else ""
    return [one_line(item.get("restaurant")), names]


def _any_row(item: Item) -> list[str]:
    return [", ".join(f"{one_line(str(name))}: {one_line(str(value))}" for name, value in item.items())]


_ROWS: dict[str, Callable[[Item], list[str]]] = {
    "requests": _request,
    "orders": _order,
    "tools": _tool,
    "menu": _menu,
}

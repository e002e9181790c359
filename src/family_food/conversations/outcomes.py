"""What a tool call came to, in a few words for people. Pure; made from what the tools answer, never from a model's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from permit_core.views import plain

MAX_CHARS = 120
_SINGULAR = {"dishes": "dish"}
_DECIDED = {"approved": "approved", "denied": "denied"}


def outcome(content: Mapping[str, Any]) -> str:
    """The result of a call that worked: ``5 dishes``, ``ordered Cheese Pizza, 8.99``, ``asked to order Burger``.

    Args:
        content: the structured result: an order, a request, a page of something, or anything else.
    """
    if _is_order(content):
        return _short(f"ordered {_order(content)}")
    if _is_request(content):
        decided = _DECIDED.get(str(content["status"]))
        asked = "asked to" if content.get("operation") or content.get("call") else "asked for"
        return _short(f"{decided}: {wish(content)}" if decided else f"{asked} {wish(content)}")
    return _short(_counted(content) or "done")


def happened(name: str, content: Mapping[str, Any]) -> str:
    """The same as a sentence, for somebody who has just stopped the turn it happened in.

    Args:
        name: the tool's.
        content: its result.
    """
    if _is_order(content):
        return _short(f"The order had already been placed: {_order(content)}") + "."
    if _is_request(content):
        decided = _DECIDED.get(str(content["status"]))
        what = f"been {decided}" if decided else "been made"
        return _short(f"The request had already {what}: {wish(content)}") + "."
    return _short(f"{name} had already been done") + "."


def may_have_happened(name: str) -> str:
    """A sentence about a call that was stopped before it answered."""
    return _short(f"{name} was under way and may have had its effect") + "."


def _is_order(content: Mapping[str, Any]) -> bool:
    return all(isinstance(content.get(key), str) for key in ("id", "dish_name", "price"))


def _is_request(content: Mapping[str, Any]) -> bool:
    return all(isinstance(content.get(key), str) for key in ("id", "kind", "status", "resource_name"))


def _order(content: Mapping[str, Any]) -> str:
    return f"{content['dish_name']}, {content['price']}"


def wish(content: Mapping[str, Any]) -> str:
    """What a request, as a tool answers it, is about: ``order Cheese Pizza``, ``access to Sushi Bar``, ``call send on ...``."""
    if isinstance(called := content.get("call"), Mapping):
        return f"call {called.get('tool')} on {content['resource_name']}"
    if content.get("operation"):
        return f"{content['operation']} {content['resource_name']}"
    return f"access to {content['resource_name']}"


def _counted(content: Mapping[str, Any]) -> str:
    """How many of what a list holds; empty when the result is no list."""
    for key, items in content.items():
        if isinstance(items, list):
            total = content.get("total")
            number = total if isinstance(total, int) and not isinstance(total, bool) else len(items)
            kind = _kind(items) or key
            return f"{number} {_singular(kind) if number == 1 else kind}"
    return ""


def _kind(items: list[Any]) -> str:
    """The type of resource instances that are listed, as in ``restaurants:4``; empty for other things."""
    first = items[0] if items else None
    named = first.get("resource_instance") if isinstance(first, dict) and "your_access" in first else None
    return named.partition(":")[0] if isinstance(named, str) else ""


def _singular(plural: str) -> str:
    return _SINGULAR.get(plural) or plural.removesuffix("s")


def _short(text: str) -> str:
    line = plain(text)
    return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"

"""Looking for a dish through the menus that can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from family_food.models.demo import facts
from family_food.models.demo.asks import Asks, Trouble
from family_food.models.demo.facts import Dish, Restaurant
from family_food.models.demo.names import find, score
from family_food.models.demo.wording import joined

_AND = re.compile(r"\s*(?:,|&|\band\b|\bplus\b|\bwith\b)\s*", re.IGNORECASE)
_POINTER = re.compile(
    r"(?:it|that|this|one|those|these|some|(?:that|this|the same)(?: one| dish)?(?: again)?|them|the dish)",
    re.IGNORECASE,
)
_OTHER = re.compile(r"(?:no |not that(?: one)? )*(?:the |that )?other(?: one| dish)?", re.IGNORECASE)
_EXACT = 0.95


@dataclass(frozen=True, slots=True)
class Search:
    """What was found.

    Attributes:
        sure: the dishes the words name; more than one: ambiguous.
        near: dishes worth offering when none is sure.
        several: the words name several different dishes.
        dishes: all that were looked through.
        troubles: menus that could not be read.
    """

    sure: list[Dish]
    near: list[Dish]
    several: bool
    dishes: list[Dish]
    troubles: list[tuple[Restaurant, Trouble]]


def is_pointer(phrase: str) -> bool:
    """The words point at what was spoken of."""
    return bool(_POINTER.fullmatch(phrase.strip()))


def is_other(phrase: str) -> bool:
    """The words mean the one that was not chosen."""
    return bool(_OTHER.fullmatch(phrase.strip()))


def names_exactly(phrase: str, dish: Dish) -> bool:
    """The words are the dish's name, give or take a slip of the keyboard."""
    return score(phrase, dish.name) >= _EXACT


def look_for(phrase: str, places: Sequence[Restaurant]) -> Asks[Search]:
    """Read the menus of ``places`` in parallel and look for what ``phrase`` names."""
    found, troubles = yield from facts.menus(list(places))
    return match(phrase, [dish for dishes in found for dish in dishes], troubles)


def match(phrase: str, dishes: list[Dish], troubles: Sequence[tuple[Restaurant, Trouble]] = ()) -> Search:
    """The dishes that ``phrase`` names."""
    whole = find(phrase, dishes, lambda dish: dish.name)
    exact = whole.sure and score(phrase, whole.sure[0].name) >= _EXACT
    parts = [part for part in _AND.split(phrase) if part]
    if not exact and len(parts) > 1:
        named = [dish for part in parts for dish in find(part, dishes, lambda dish: dish.name).sure]
        distinct = list({(dish.restaurant_key, dish.key): dish for dish in named}.values())
        if len(distinct) > 1:
            return Search(distinct, [], True, dishes, list(troubles))
        if distinct:
            return Search(distinct, [], False, dishes, list(troubles))
    return Search(whole.sure, whole.near, False, dishes, list(troubles))


def closed_places(places: Sequence[Restaurant]) -> str:
    """A sentence on the menus that were not looked at; "" when there are none."""
    closed = [place.name for place in places if place.remedy]
    menus = "menus" if len(closed) > 1 else "menu"
    return f"I can't see the {menus} of {joined(closed)} for you; I can ask a parent for access" if closed else ""

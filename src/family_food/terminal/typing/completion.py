"""What is offered on the input line, and the names that are known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from family_food.terminal.visible import one_line

MOST_OFFERED = 50
_LEAST_LETTERS = 2


@dataclass(frozen=True, slots=True)
class Offer:
    """One completion.

    Attributes:
        text: what takes the place of the last ``replaces`` characters.
        replaces: how many characters before the cursor it replaces.
        meaning: shown beside it.
    """

    text: str
    replaces: int
    meaning: str = ""


class Names:
    """Restaurants and dishes by name.

    Attributes:
        known: set when the server has told them.
    """

    def __init__(self) -> None:
        self.known = asyncio.Event()
        self._meanings: dict[str, str] = {}

    def learn(self, items: Iterable[object]) -> None:
        """Take over a listing of menus: ``{restaurant, dishes: [name]}``."""
        found: dict[str, str] = {}
        for item in items:
            if not isinstance(item, Mapping):
                continue
            restaurant = one_line(item.get("restaurant"))
            if restaurant:
                found.setdefault(restaurant, "restaurant")
            dishes = item.get("dishes")
            for dish in dishes if isinstance(dishes, list) else []:
                name = one_line(dish.get("name")) if isinstance(dish, Mapping) else one_line(dish)
                if name:
                    found.setdefault(name, restaurant)
        self._meanings = found
        self.known.set()

    def offers(self, text: str) -> list[Offer]:
        """Names that go on where the text before the cursor ends; the longest beginning of a name counts."""
        lower = text.lower()
        starts = [at for at in range(max(0, len(text) - 60), len(text)) if at == 0 or not text[at - 1].isalnum()]
        for start in starts:
            begun = lower[start:]
            if len(begun.strip()) < _LEAST_LETTERS or begun[0].isspace():
                continue
            fitting = [name for name in self._meanings if name.lower().startswith(begun)]
            found = [name for name in fitting if name != text[start:]]
            if fitting:
                return [Offer(name, len(begun), self._meanings[name]) for name in sorted(found)[:MOST_OFFERED]]
        return []

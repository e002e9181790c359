"""What can be completed on the input line. No terminal here: see line_completer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from family_food.terminal.commands.registry import Command, Commands
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


def command_offers(commands: Commands, text: str) -> list[Offer]:
    """Commands whose name begins with the text."""
    typed = text.lower()
    return [
        Offer(command.name + (" " if command.takes else ""), len(text), command.help)
        for command in commands.all
        if command.name.startswith(typed)
    ]


def argument(commands: Commands, text: str) -> tuple[Command, str] | None:
    """The command whose first argument is being typed, and what there is of it; None when it is something else."""
    word, space, typed = text.partition(" ")
    command = commands.named(word) if space and word.startswith("/") else None
    typed = typed.lstrip(" ")
    return (command, typed) if command is not None and " " not in typed and "\n" not in typed else None


def argument_offers(choices: Sequence[tuple[str, str]], typed: str) -> list[Offer]:
    """The choices that begin with what was typed.

    Args:
        choices: pairs of text and meaning.
        typed: the beginning.
    """
    lower = typed.lower()
    found = [(text, meaning) for text, meaning in choices if text.lower().startswith(lower)]
    return [Offer(text, len(typed), meaning) for text, meaning in found[:MOST_OFFERED]]

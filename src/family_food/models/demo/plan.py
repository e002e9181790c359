"""What every plan is given and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from family_food.messages import Shown
from family_food.models.demo.asks import Asks
from family_food.models.demo.memory import Memory

_DECIDING = frozenset(
    f"{verb}_{kind}" for verb in ("approve", "deny") for kind in ("access_request", "operation_approval")
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a turn begins: what is remembered, which tools there are, what was said."""

    memory: Memory
    tools: frozenset[str]
    entries: tuple[Shown, ...]

    @property
    def reviews(self) -> bool:
        """Whether the person may decide requests: the tools for it are offered."""
        return bool(_DECIDING & self.tools)

    def remembering(self, memory: Memory) -> Scene:
        """The same with another memory."""
        return Scene(memory, self.tools, self.entries)


@dataclass(frozen=True, slots=True)
class Reply:
    """The words that end a turn, and what to remember after it."""

    text: str
    memory: Memory


Plan: TypeAlias = Asks[Reply]


def say(text: str, memory: Memory) -> Plan:
    """A plan that needs no facts."""
    yield from ()
    return Reply(text, memory)

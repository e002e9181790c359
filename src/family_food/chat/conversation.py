"""The conversation of one session: kept in memory, written to the database before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from family_food.messages import Entry, EventMessage, UserMessage

WINDOW_ENTRIES = 200
"""A model is shown this many of the last entries, cut where somebody begins to speak."""


class EntryLog(Protocol):
    """Where entries are kept for good."""

    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        """Add entries, all or none."""
        ...


class Conversation:
    """Entries in order, a model's calls always together with the results of all of them."""

    def __init__(self, conversation_id: str, log: EntryLog, entries: Iterable[Entry] = ()) -> None:
        self.id = conversation_id
        self._log = log
        self._entries = list(entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them."""
        return tuple(self._entries)

    async def add(self, *entries: Entry) -> None:
        """Write entries, all or none. A model's step with calls is added together with its results or not at all."""
        await self._log.append(self.id, len(self._entries), entries)
        self._entries += entries

    def window(self) -> Sequence[Entry]:
        """The last entries, beginning with a person's words or an event, so that no result stands without its call."""
        first = max(0, len(self._entries) - WINDOW_ENTRIES)
        starts = (
            index
            for index in range(first, len(self._entries))
            if isinstance(self._entries[index], UserMessage | EventMessage)
        )
        # One turn longer than the window: better too long than beginning in the middle.
        return tuple(self._entries[next(starts, 0) :])

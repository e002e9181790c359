"""A conversation's log in memory."""

from __future__ import annotations

from collections.abc import Sequence

from family_food.conversations.stored_conversation import TurnCause
from family_food.messages import Entry
from permit_core.ports.record import AuditEvent


class Notebook:
    """Entries as they would stand in the database, the turns' outcomes, and what the audit log was told."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.turns: dict[int, str] = {}
        self.events: list[AuditEvent] = []

    async def begin_turn(
        self,
        conversation_id: str,
        number: int,
        cause: TurnCause,
        *,
        message_id: str | None,
        first_seq: int,
        entries: Sequence[Entry],
        events: Sequence[AuditEvent] = (),
    ) -> None:
        assert number not in self.turns
        self.turns[number] = "running"
        self.events += events
        await self.append(conversation_id, first_seq, entries)

    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        assert first_seq == len(self.entries)
        self.entries += entries

    async def end_turn(
        self,
        conversation_id: str,
        number: int,
        outcome: str,
        *,
        first_seq: int,
        entries: Sequence[Entry] = (),
        events: Sequence[AuditEvent] = (),
    ) -> None:
        assert self.turns[number] == "running"
        self.turns[number] = outcome
        self.events += events
        await self.append(conversation_id, first_seq, entries)

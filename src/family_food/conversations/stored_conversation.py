"""What the database tells of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from family_food.messages import Entry

TurnCause = Literal["message", "event", "continue"]
StoredOutcome = Literal["running", "completed", "cancelled", "failed", "limit", "interrupted"]
"""How a turn ended; ``running`` while it has not, ``interrupted`` when its process ended before it did, or its client left
while it acted on news."""


class Interrupted(BaseModel):
    """A turn that the end of a server process cut short. A ``continue`` frame takes it up again."""

    turn: int
    said: str = Field(description="The person's words that began it; empty when news did.")


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation that can go on.

    Attributes:
        entries: all of them, in order; every call has its result.
        next_turn: the number of the turn that comes next.
        interrupted: the last turn, when its process ended before it did.
        message_ids: the ids of every message that was ever taken.
        sizes: how many characters each entry is stored in.
    """

    id: str
    title: str
    entries: Sequence[Entry]
    next_turn: int
    interrupted: Interrupted | None
    message_ids: frozenset[str]
    sizes: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation on a list.

    Attributes:
        updated_at: when its last turn began.
        turns: how many turns it has.
    """

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry, and when it was written."""

    entry: Entry
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn as it is remembered. ``said`` are the person's words that began it; empty when news did."""

    number: int
    cause: TurnCause
    said: str
    outcome: StoredOutcome
    started_at: datetime
    ended_at: datetime | None
    entries: Sequence[StoredEntry]


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """Everything that is stored of a conversation."""

    summary: ConversationSummary
    turns: Sequence[StoredTurn]

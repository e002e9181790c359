"""The conversation of one session: kept in memory, written to the database before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from family_food.conversations.context import Context
from family_food.conversations.conversation_rows import first_words, said_in
from family_food.conversations.stored_conversation import Interrupted, StoredConversation, TurnCause
from family_food.messages import Entry, Shown
from permit_core.ports.record import AuditEvent

CONTEXT_CHARS = 200_000
"""How much of a conversation a model is shown when nothing else is set."""


class EntryLog(Protocol):
    """Where a conversation is kept for good: :class:`family_food.conversations.conversation_store.ConversationStore`."""

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
        """Begin a turn, all or nothing."""
        ...

    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        """Add entries, all or none."""
        ...

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
        """End a turn, all or nothing."""
        ...


class Conversation:
    """Entries in order, a model's calls always together with the results of all of them.

    What fails to be written is not remembered either.

    Attributes:
        title: what it is called; empty before anything was said.
        next_turn: the number of the turn that comes next.
        interrupted: the last turn, when its process ended before it did and nothing came after it.
        message_ids: the ids of all messages that were taken.
    """

    def __init__(self, conversation_id: str, log: EntryLog, entries: Iterable[Entry] = ()) -> None:
        self.id = conversation_id
        self.title = ""
        self.next_turn = 1
        self.interrupted: Interrupted | None = None
        self.message_ids: set[str] = set()
        self._log = log
        self._entries = list(entries)
        self._sizes: Sequence[int] = ()
        self._context = Context(CONTEXT_CHARS)
        self._counted = 0  # entries that the context has

    @classmethod
    def of(cls, stored: StoredConversation, log: EntryLog) -> Conversation:
        """The one that was stored, going on."""
        conversation = cls(stored.id, log, stored.entries)
        conversation.title, conversation.next_turn = stored.title, stored.next_turn
        conversation.interrupted, conversation.message_ids = stored.interrupted, set(stored.message_ids)
        conversation._sizes = stored.sizes
        return conversation

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them, as they are now and will be."""
        return self._entries

    async def begin_turn(
        self, cause: TurnCause, message_id: str | None, entries: Sequence[Entry], events: Sequence[AuditEvent] = ()
    ) -> int:
        """Begin the next turn with what was said and what happened; answers its number.

        Raises:
            Conflict: ``duplicate_message`` or ``conversation_moved``.
            NotFound: ``no_such_conversation``: it was deleted.
        """
        number = self.next_turn
        first = len(self._entries)
        await self._log.begin_turn(
            self.id, number, cause, message_id=message_id, first_seq=first, entries=entries, events=events
        )
        self._entries += entries
        self.next_turn = number + 1
        self.interrupted = None
        if message_id is not None:
            self.message_ids.add(message_id)
        self.title = self.title or first_words(said_in(entries))
        return number

    async def add(self, *entries: Entry) -> None:
        """Write entries, all or none.

        A model's step with calls may be added before its results, so that it is known what was called should the
        process end; nothing but its results may follow.
        """
        await self._log.append(self.id, len(self._entries), entries)
        self._entries += entries

    async def end_turn(
        self, number: int, outcome: str, entries: Sequence[Entry] = (), events: Sequence[AuditEvent] = ()
    ) -> None:
        """End a turn, with its last entries.

        Raises:
            Conflict: ``conversation_moved``.
            NotFound: ``no_such_conversation``: it was deleted.
        """
        first = len(self._entries)
        await self._log.end_turn(self.id, number, outcome, first_seq=first, entries=entries, events=events)
        self._entries += entries

    def window(self, context_chars: int = CONTEXT_CHARS) -> Sequence[Shown]:
        """What a model is shown; see :mod:`family_food.conversations.context`.

        Args:
            context_chars: about how much that may be, in characters. The same each time, or everything is counted anew.
        """
        if self._context.chars != context_chars:
            self._context, self._counted = Context(context_chars), 0
        first, self._counted = self._counted, len(self._entries)
        self._context.add(self._entries[first:], self._sizes[first:])
        return self._context.shown()

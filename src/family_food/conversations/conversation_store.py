"""Conversations in the database: written by the server as they happen, never taken from a client."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, select, update

from family_food.conversations.asked_requests import note_answered, note_asked
from family_food.conversations.conversation_rows import (
    MINE,
    ConversationRows,
    add_entries,
    add_turn,
    close_turn,
    conversation_row,
    entry_rows,
    no_such_conversation,
    of,
    read_rows,
    read_whole,
    said_in,
    settle,
    touch,
)
from family_food.conversations.stored_conversation import (
    ConversationRecord,
    ConversationSummary,
    StoredConversation,
    StoredEntry,
    StoredTurn,
    TurnCause,
)
from family_food.messages import Entry, entry_adapter
from family_food.tables import conversation_entries, conversations, turns
from permit_core.database import ROOM_FOR_NEWCOMERS, Database
from permit_core.errors import Conflict, ConstraintViolated, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.labels import Labels
from permit_core.page import Page, page_offset
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.views import plain

MAX_TITLE = 200
_AT_ONCE = 200  # entries that are read before others get their turn on the event loop

_CREATE = insert(conversations)
_HAS_ENTRIES = exists().where(conversation_entries.c.conversation_id == conversations.c.id)
_FORGET_EMPTY = delete(conversations).where(conversations.c.id == bindparam("chat"), ~_HAS_ENTRIES)
_TAKEN = select(turns.c.number).where(
    turns.c.conversation_id == bindparam("chat"), turns.c.message_id == bindparam("message")
)
_HOW_MANY_TURNS = (
    select(func.count()).select_from(turns).where(turns.c.conversation_id == conversations.c.id).scalar_subquery()
)


class ConversationStore:
    """Reads and appends. An entry is never changed.

    What a turn writes outlives the process, however that ends, but does not wait for the disk: a power cut may take the
    last words. It takes no order and no decision, which do wait, nor what was written before one.

    Args:
        database: where conversations are kept.
        audit: remembers what happens to them, in the same transactions. Without it no event can be handed over.
        labels: what each of them has read, which is forgotten with it.
    """

    def __init__(self, database: Database, audit: Audit | None = None, labels: Labels | None = None) -> None:
        self._database = database
        self._audit = audit
        self._labels = labels

    async def create(self, actor: Actor) -> str:
        """A new, empty conversation of this user; answers its unguessable id.

        Raises:
            StoreError: the database cannot be used, or so many write already that nobody new should begin.
        """
        conversation_id = f"chat_{secrets.token_hex(16)}"
        now = datetime.now(UTC)
        owner = {"environment": actor.environment, "user_key": actor.user, "tenant": actor.tenant}
        rows = [{"id": conversation_id, "title": "", "created_at": now, "updated_at": now, **owner}]
        await self._database.write(lambda connection: connection.execute(_CREATE, rows), room=ROOM_FOR_NEWCOMERS)
        return conversation_id

    # A turn

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
        """Begin a turn: its row, the entries that open it and what the audit log is told, all or nothing.

        Args:
            conversation_id: whose turn.
            number: counted from 1 in a conversation.
            cause: what began it.
            message_id: the client's own id of the message, if it gave one.
            first_seq: the place of the first of ``entries``.
            entries: what was said, and what happened since.
            events: for the audit log.

        Raises:
            Conflict: ``duplicate_message``: this message was taken before; ``conversation_moved``: another session
                goes on with the conversation.
            NotFound: ``no_such_conversation``: it was deleted.
            InvalidInput: ``invalid_message_id``: no id that can be stored.
        """
        if message_id is not None and not message_id.isprintable():
            raise InvalidInput(
                "The message's id cannot be used.", code="invalid_message_id", hint="Use letters and digits."
            )
        now, said = datetime.now(UTC), said_in(entries)
        turn = {"conversation_id": conversation_id, "number": number, "cause": cause, "message_id": message_id}
        turn |= {"said": said, "first_seq": first_seq, "outcome": "running", "started_at": now, "ended_at": None}
        rows = entry_rows(conversation_id, first_seq, entries, now)

        def work(connection: Connection) -> None:
            add_turn(connection, turn)
            add_entries(connection, rows)
            touch(connection, conversation_id, said, now)
            note_answered(connection, conversation_id, entries)
            self._remember(connection, events)

        try:
            await self._database.write(work, durable=False)
        except ConstraintViolated as error:
            raise await self._refusal(conversation_id, message_id) from error

    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        """Add entries, all or none, numbered from ``first_seq``.

        Raises:
            Conflict: ``conversation_moved``: another session goes on with it; nothing was added.
            NotFound: ``no_such_conversation``: it was deleted.
        """
        now, said = datetime.now(UTC), said_in(entries)
        rows = entry_rows(conversation_id, first_seq, entries, now)

        def work(connection: Connection) -> None:
            add_entries(connection, rows)
            note_asked(connection, conversation_id, entries)
            if said:
                touch(connection, conversation_id, said, now)

        try:
            await self._database.write(work, durable=False)
        except ConstraintViolated as error:
            raise await self._refusal(conversation_id, None) from error

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
        """End a turn: how it ended, its last entries and what the audit log is told, all or nothing.

        Raises:
            Conflict: ``conversation_moved``: it does not run any more, or another session goes on.
            NotFound: ``no_such_conversation``: it was deleted.
        """
        now = datetime.now(UTC)
        rows = entry_rows(conversation_id, first_seq, entries, now)

        def work(connection: Connection) -> None:
            if not close_turn(connection, conversation_id, number, outcome, now):
                raise _moved()
            add_entries(connection, rows)
            self._remember(connection, events)

        try:
            await self._database.write(work, durable=False)
        except ConstraintViolated as error:
            raise await self._refusal(conversation_id, None) from error

    # A conversation as a whole

    async def check(self, conversation_id: str, actor: Actor) -> None:
        """Make sure that it is this user's, and change nothing.

        Raises:
            NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
        """
        await self._database.read(lambda connection: conversation_row(connection, conversation_id, actor))

    async def load(self, conversation_id: str, actor: Actor) -> StoredConversation:
        """Read a conversation that no session has, so that it can go on.

        What the end of a process left half-done is settled for good: a call without a result gets one that says so,
        and a turn that was still running counts as interrupted.

        Raises:
            NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
        """
        found = await self._database.read(lambda connection: read_rows(connection, conversation_id, actor))
        if found.unsettled:
            found = await self._database.write(lambda connection: self._settle(connection, conversation_id, actor))
        return StoredConversation(
            id=conversation_id,
            title=found.title,
            entries=await _entries(found.bodies),
            next_turn=found.turns[-1].number + 1 if found.turns else 1,
            interrupted=found.interrupted,
            message_ids=frozenset(turn.message_id for turn in found.turns if turn.message_id is not None),
            sizes=[len(body) for body in found.bodies],
        )

    async def listed(self, actor: Actor, page: int = 1, per_page: int = 20) -> Page[ConversationSummary]:
        """A user's conversations in which something was said, the latest first.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        offset = page_offset(page, per_page)
        mine = and_(
            conversations.c.environment == actor.environment,
            conversations.c.user_key == actor.user,
            conversations.c.tenant == actor.tenant,
            _HAS_ENTRIES,
        )
        latest_first = (conversations.c.updated_at.desc(), conversations.c.id)
        rows = select(conversations, _HOW_MANY_TURNS.label("turns")).where(mine).order_by(*latest_first)
        count = select(func.count()).select_from(conversations).where(mine)
        async with self._database.reading() as transaction:
            total = (await transaction.execute(count)).scalar_one()
            found = (await transaction.execute(rows.limit(per_page).offset(offset))).all()
        items = [ConversationSummary(row.id, row.title, row.created_at, row.updated_at, row.turns) for row in found]
        return Page(items, total, page, per_page)

    async def export(self, conversation_id: str, actor: Actor, form: str) -> ConversationRecord:
        """Read everything that is stored of a conversation, to be handed out in some form; changes nothing.

        Raises:
            NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
        """
        row, begun, written = await self._database.read(
            lambda connection: read_whole(connection, conversation_id, actor)
        )
        entries = await _entries([entry.body for entry in written])
        stored = [StoredEntry(entry, line.at) for entry, line in zip(entries, written, strict=True)]
        # What stands before the first turn, as nothing should, is shown with it.
        starts = [0, *(turn.first_seq for turn in begun[1:]), len(stored)]
        whole = [
            StoredTurn(turn.number, turn.cause, turn.said, turn.outcome, turn.started_at, turn.ended_at, stored[a:b])
            for turn, a, b in zip(begun, starts, starts[1:], strict=False)
        ]
        if self._audit is not None:
            body = {"session": conversation_id, "format": form}
            await self._audit.note(AuditEvent("conversation.exported", actor, body))
        about = ConversationSummary(row.id, row.title, row.created_at, row.updated_at, len(begun))
        return ConversationRecord(about, whole)

    async def rename(self, conversation_id: str, actor: Actor, title: str) -> str:
        """Give it a title, which it keeps; answers the title as it is stored.

        Raises:
            InvalidInput: ``invalid_title``: nothing visible, or more than ``MAX_TITLE`` characters.
            NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
        """
        clean = plain(title)
        if not 1 <= len(clean) <= MAX_TITLE:
            raise InvalidInput(
                f"A title has 1 to {MAX_TITLE} visible characters.", code="invalid_title", hint="Choose a short one."
            )
        renamed = update(conversations).where(MINE).values(title=clean)
        await self._change(renamed, "conversation.renamed", conversation_id, actor, title=clean)
        return clean

    async def delete(self, conversation_id: str, actor: Actor) -> None:
        """Forget it. Orders, requests and the audit log stay as they are.

        Raises:
            NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
        """
        gone = delete(conversations).where(MINE)

        def forget_labels(connection: Connection) -> None:
            if self._labels is not None:
                self._labels.end_now(connection, actor, conversation_id)

        await self._change(gone, "conversation.deleted", conversation_id, actor, forget_labels)

    async def forget_if_empty(self, conversation_id: str) -> bool:
        """Forget it if nothing was ever said in it; whether that was so."""
        chat = {"chat": conversation_id}
        return await self._database.write(lambda connection: connection.execute(_FORGET_EMPTY, chat).rowcount == 1)

    def _settle(self, connection: Connection, conversation_id: str, actor: Actor) -> ConversationRows:
        # Read again: another process may have settled it, or gone on.
        found = read_rows(connection, conversation_id, actor)
        for number in settle(connection, conversation_id, found):
            self._note(connection, "turn.interrupted", conversation_id, actor, turn=number)
        return read_rows(connection, conversation_id, actor)

    async def _change(
        self,
        change: Any,
        event: str,
        conversation_id: str,
        actor: Actor,
        more: Callable[[Connection], None] = lambda _: None,
        **body: Any,
    ) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(change, of(conversation_id, actor)).rowcount != 1:
                raise no_such_conversation()
            more(connection)
            self._note(connection, event, conversation_id, actor, **body)

        await self._database.write(work)

    def _note(self, connection: Connection, event: str, conversation_id: str, actor: Actor, **body: Any) -> None:
        if self._audit is not None:
            body = {"session": conversation_id, **body}
            self._audit.append_now(connection, AuditEvent(event, actor, body))

    def _remember(self, connection: Connection, events: Sequence[AuditEvent]) -> None:
        if not events:
            return
        if self._audit is None:
            raise ValueError("a conversation store without an audit log was given events for it")
        self._audit.append_now(connection, *events)

    async def _refusal(self, conversation_id: str, message_id: str | None) -> Conflict | NotFound:
        """Why the database refused to write."""
        there = select(conversations.c.id).where(conversations.c.id == conversation_id)
        async with self._database.reading() as transaction:
            if (await transaction.execute(there)).one_or_none() is None:
                return no_such_conversation()
            taken = await transaction.execute(_TAKEN, {"chat": conversation_id, "message": message_id})
            if message_id is not None and taken.one_or_none() is not None:
                return Conflict(
                    "This message was taken already.", code="duplicate_message", hint="It is not done a second time."
                )
        return _moved()


def _moved() -> Conflict:
    return Conflict("This conversation goes on in another window.", code="conversation_moved", hint="Go on there.")


async def _entries(bodies: Sequence[str]) -> list[Entry]:
    """Read entries, in portions: others get their turn on the event loop."""
    entries: list[Entry] = []
    for start in range(0, len(bodies), _AT_ONCE):
        entries += [entry_adapter.validate_json(body) for body in bodies[start : start + _AT_ONCE]]
        await asyncio.sleep(0)
    return entries

"""Conversations in the database: written by the server as they happen, never taken from a client."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from family_food.messages import Entry, UserMessage, entry_adapter
from family_food.tables import conversation_entries, conversations
from permit_core.database import Database
from permit_core.errors import Conflict, NotFound
from permit_core.identity import Principal

_TITLE_CHARS = 80


class ConversationStore:
    """Reads and appends. An entry is never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, principal: Principal) -> str:
        """A new, empty conversation of this user; answers its unguessable id."""
        conversation_id = f"chat_{secrets.token_hex(16)}"
        now = datetime.now(UTC)
        async with self._database.transaction() as transaction:
            await transaction.execute(
                insert(conversations).values(
                    id=conversation_id,
                    user_key=principal.user,
                    tenant=principal.tenant,
                    title="",
                    created_at=now,
                    updated_at=now,
                )
            )
        return conversation_id

    async def append(self, conversation_id: str, first_seq: int, entries: Sequence[Entry]) -> None:
        """Add entries, all or none, numbered from ``first_seq``.

        Raises:
            Conflict: ``conversation_moved``: another session goes on with it; nothing was added.
        """
        now = datetime.now(UTC)
        rows = [
            {"conversation_id": conversation_id, "seq": first_seq + index, "body": entry.model_dump_json(), "at": now}
            for index, entry in enumerate(entries)
        ]
        values: dict[str, object] = {"updated_at": now}
        if first_seq == 0:
            said = next((entry.text for entry in entries if isinstance(entry, UserMessage)), "")
            values["title"] = said[:_TITLE_CHARS]
        moved = update(conversations).where(conversations.c.id == conversation_id).values(**values)
        try:
            async with self._database.transaction() as transaction:
                await transaction.execute(insert(conversation_entries), rows)
                await transaction.execute(moved)
        except IntegrityError as error:
            raise Conflict(
                "This conversation goes on in another window.", code="conversation_moved", hint="Go on there."
            ) from error

    async def load(self, conversation_id: str, principal: Principal) -> list[Entry]:
        """Every entry, in order.

        Raises:
            NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
        """
        mine = select(conversations.c.id).where(
            conversations.c.id == conversation_id,
            conversations.c.user_key == principal.user,
            conversations.c.tenant == principal.tenant,
        )
        bodies = (
            select(conversation_entries.c.body)
            .where(conversation_entries.c.conversation_id == conversation_id)
            .order_by(conversation_entries.c.seq)
        )
        async with self._database.reading() as transaction:
            if (await transaction.execute(mine)).scalar_one_or_none() is None:
                raise NotFound("There is no such conversation.", code="no_such_conversation")
            rows = (await transaction.execute(bodies)).scalars().all()
        return [entry_adapter.validate_json(body) for body in rows]

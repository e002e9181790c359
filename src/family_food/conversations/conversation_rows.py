"""The rows of a conversation: what is read and written within one transaction, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Connection, and_, bindparam, case, insert, select, update
from sqlalchemy.engine import Row

from family_food.conversations.stored_conversation import Interrupted
from family_food.messages import Entry, ModelStep, ToolResult, ToolResults, UserMessage, entry_adapter
from family_food.tables import conversation_entries, conversations, turns
from permit_core.errors import NotFound
from permit_core.identity import Actor
from permit_core.prepared import Prepared
from permit_core.views import plain

_FIRST_WORDS = 80

INTERRUPTED = {
    "error": {
        "code": "interrupted",
        "message": "The server stopped before this call's answer was kept. It may have had its effect.",
        "hint": "Look before you repeat it.",
    }
}
"""The result of a call that was made when a process ended."""

_CHAT: BindParameter[str] = bindparam("chat")
MINE = and_(
    conversations.c.id == _CHAT,
    conversations.c.environment == bindparam("owners_environment"),
    conversations.c.user_key == bindparam("owner"),
    conversations.c.tenant == bindparam("owners_tenant"),
)
# What every turn writes.
_ADD_ENTRIES = Prepared(insert(conversation_entries), conversation_entries.c.keys())
_ADD_TURN = Prepared(insert(turns), turns.c.keys())
_TOUCH = Prepared(
    update(conversations)
    .where(conversations.c.id == _CHAT)
    .values(
        updated_at=bindparam("now"),
        title=case((conversations.c.title == "", bindparam("words")), else_=conversations.c.title),
    )
)
_END_TURN = Prepared(
    update(turns)
    .where(turns.c.conversation_id == _CHAT, turns.c.number == bindparam("turn"), turns.c.outcome == "running")
    .values(outcome=bindparam("ending"), ended_at=bindparam("now"))
)
_CONVERSATION = select(conversations).where(MINE)
_BODIES = (
    select(conversation_entries.c.body)
    .where(conversation_entries.c.conversation_id == _CHAT)
    .order_by(conversation_entries.c.seq)
)
_TURNS = (
    select(turns.c.number, turns.c.cause, turns.c.message_id, turns.c.outcome)
    .where(turns.c.conversation_id == _CHAT)
    .order_by(turns.c.number)
)
_SAID = select(turns.c.said).where(turns.c.conversation_id == _CHAT, turns.c.number == bindparam("turn"))
_WHOLE_TURNS = select(turns).where(turns.c.conversation_id == _CHAT).order_by(turns.c.number)
_WHOLE_ENTRIES = (
    select(conversation_entries.c.seq, conversation_entries.c.body, conversation_entries.c.at)
    .where(conversation_entries.c.conversation_id == _CHAT)
    .order_by(conversation_entries.c.seq)
)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class ConversationRows:
    """A conversation as it is stored. ``turns`` have number, cause, message_id and outcome."""

    title: str
    bodies: Sequence[str]
    turns: Sequence[AnyRow]
    interrupted: Interrupted | None

    @property
    def unsettled(self) -> bool:
        """Whether the end of a process left something half-done."""
        return any(turn.outcome == "running" for turn in self.turns) or _open_step(self.bodies) is not None


def of(conversation_id: str, actor: Actor) -> dict[str, str]:
    """What :data:`MINE` asks for."""
    owner = {"owners_environment": actor.environment, "owner": actor.user, "owners_tenant": actor.tenant}
    return {"chat": conversation_id, **owner}


def no_such_conversation() -> NotFound:
    """The one answer for what is not there and for what is somebody else's."""
    return NotFound("There is no such conversation.", code="no_such_conversation", hint="List yours to see them.")


def conversation_row(connection: Connection, conversation_id: str, actor: Actor) -> AnyRow:
    """The conversation's own row.

    Raises:
        NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
    """
    found = connection.execute(_CONVERSATION, of(conversation_id, actor)).one_or_none()
    if found is None:
        raise no_such_conversation()
    return found


def read_rows(connection: Connection, conversation_id: str, actor: Actor) -> ConversationRows:
    """Everything that is needed to go on.

    Raises:
        NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
    """
    chat = {"chat": conversation_id}
    title = conversation_row(connection, conversation_id, actor).title
    bodies = connection.execute(_BODIES, chat).scalars().all()
    found = connection.execute(_TURNS, chat).all()
    interrupted = None
    if found and found[-1].outcome == "interrupted":
        # One that continued another has no words of its own.
        first = next((turn for turn in reversed(found) if turn.cause != "continue"), found[-1])
        said = connection.execute(_SAID, {**chat, "turn": first.number}).scalar_one()
        interrupted = Interrupted(turn=found[-1].number, said=said)
    return ConversationRows(title, bodies, found, interrupted)


def read_whole(
    connection: Connection, conversation_id: str, actor: Actor
) -> tuple[AnyRow, Sequence[AnyRow], Sequence[AnyRow]]:
    """Everything there is: the conversation's row, its turns' and its entries' (seq, body, at).

    Raises:
        NotFound: ``no_such_conversation``: there is none, or it is somebody else's.
    """
    chat = {"chat": conversation_id}
    row = conversation_row(connection, conversation_id, actor)
    return row, connection.execute(_WHOLE_TURNS, chat).all(), connection.execute(_WHOLE_ENTRIES, chat).all()


def settle(connection: Connection, conversation_id: str, rows: ConversationRows) -> list[int]:
    """Close what a process left half-done when it ended; answers the numbers of the turns it cut short."""
    step, now = _open_step(rows.bodies), datetime.now(UTC)
    if step is not None:
        results = [ToolResult(call_id=c.id, name=c.name, content=INTERRUPTED, is_error=True) for c in step.calls]
        add_entries(connection, entry_rows(conversation_id, len(rows.bodies), [ToolResults(results=results)], now))
    cut = [turn.number for turn in rows.turns if turn.outcome == "running"]
    for number in cut:
        close_turn(connection, conversation_id, number, "interrupted", now)
    return cut


def entry_rows(conversation_id: str, first_seq: int, entries: Sequence[Entry], now: datetime) -> list[dict[str, Any]]:
    """Entries as rows, numbered from ``first_seq``."""
    return [
        {"conversation_id": conversation_id, "seq": first_seq + index, "body": entry.model_dump_json(), "at": now}
        for index, entry in enumerate(entries)
    ]


def add_entries(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write the rows of entries, if there are any."""
    if rows:
        _ADD_ENTRIES.run(connection, rows)


def add_turn(connection: Connection, turn: dict[str, Any]) -> None:
    """Write the row of a turn that begins."""
    _ADD_TURN.run(connection, turn)


def close_turn(connection: Connection, conversation_id: str, number: int, outcome: str, now: datetime) -> bool:
    """Write how a turn ended; False when it was not running."""
    values = {"chat": conversation_id, "turn": number, "ending": outcome, "now": now}
    return _END_TURN.run(connection, values) == 1


def touch(connection: Connection, conversation_id: str, said: str, now: datetime) -> None:
    """Move a conversation to the head of the list; its first words become its title."""
    _TOUCH.run(connection, {"chat": conversation_id, "words": first_words(said), "now": now})


def said_in(entries: Sequence[Entry]) -> str:
    """The person's words among the entries that open a turn; empty when there are none."""
    text = next((entry.text for entry in reversed(entries) if isinstance(entry, UserMessage)), "")
    return text.replace("\0", "").encode("utf-8", "replace").decode()  # no database takes these


def first_words(text: str) -> str:
    """What a conversation is called after: its first words, on one line."""
    line = plain(text[: _FIRST_WORDS * 4])
    if len(line) <= _FIRST_WORDS:
        return line
    cut = line[: _FIRST_WORDS - 1]
    return f"{cut.rsplit(' ', 1)[0]}…"


def _open_step(bodies: Sequence[str]) -> ModelStep | None:
    """The step that ends a conversation although its calls have no results."""
    last = entry_adapter.validate_json(bodies[-1]) if bodies else None
    return last if isinstance(last, ModelStep) and last.calls else None

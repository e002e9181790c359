"""Turns: how each began and ended, and which messages of clients were taken already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.String(40)
TIME = sa.DateTime(timezone=True)

_ENTRIES = sa.table(
    "conversation_entries",
    sa.column("conversation_id", ID),
    sa.column("seq", sa.Integer),
    sa.column("body", sa.Text),
    sa.column("at", TIME),
)
_TURNS = sa.table(
    "turns",
    sa.column("conversation_id", ID),
    sa.column("number", sa.Integer),
    sa.column("cause", sa.String),
    sa.column("said", sa.Text),
    sa.column("first_seq", sa.Integer),
    sa.column("outcome", sa.String),
    sa.column("started_at", TIME),
    sa.column("ended_at", TIME),
)


def upgrade() -> None:
    """Make the table, with a row for every turn of the conversations that are there."""
    op.create_table(
        "turns",
        sa.Column("conversation_id", ID, sa.ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("message_id", sa.String(100)),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("first_seq", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.UniqueConstraint("conversation_id", "message_id", name="uq_turns_message"),
    )
    connection = op.get_bind()
    ids = connection.execute(sa.select(_ENTRIES.c.conversation_id).distinct()).scalars().all()
    for conversation_id in ids:
        wanted = _ENTRIES.c.conversation_id == conversation_id
        rows = connection.execute(sa.select(_ENTRIES).where(wanted).order_by(_ENTRIES.c.seq))
        if found := list(_turns(rows)):
            connection.execute(sa.insert(_TURNS), found)


def _turns(rows: Any) -> Iterator[dict[str, Any]]:
    """The turns of one conversation: each begins with what was said or happened, and ends before the next.

    How they ended was not kept. They count as completed: nothing of them waits to be continued.
    """
    turn: dict[str, Any] | None = None
    answered = True
    for row in rows:
        kind, text = _kind_and_text(row.body)
        if (kind in ("user", "event") and answered) or turn is None:
            if turn is not None:
                yield turn
            turn = _new_turn(row, 1 if turn is None else turn["number"] + 1)
        answered = kind not in ("user", "event")
        if kind == "user":
            turn.update(cause="message", said=text)
        turn["ended_at"] = row.at
    if turn is not None:
        yield turn


def _new_turn(row: Any, number: int) -> dict[str, Any]:
    at: datetime = row.at
    return {
        "conversation_id": row.conversation_id,
        "number": number,
        "cause": "event",
        "said": "",
        "first_seq": row.seq,
        "outcome": "completed",
        "started_at": at,
        "ended_at": at,
    }


def _kind_and_text(body: str) -> tuple[str, str]:
    try:
        entry = json.loads(body)
        return str(entry["kind"]), str(entry.get("text") or "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", ""

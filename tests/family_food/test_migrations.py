"""Databases of earlier versions, with rows in them, are brought up to date without losing any."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from family_food.conversations.conversation_store import ConversationStore
from family_food.ordering.food import MIGRATIONS, VERSION_TABLE
from permit_core.database import Database
from permit_core.identity import Actor
from permit_core.stores.migrate import migrate

HENRY = Actor("default", "default", "3", "Henry")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """The chain as it was when its first revision was the only one."""
    folder = tmp_path / "first"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako", "versions/0001_first.py"):
        (folder / name).write_text((MIGRATIONS / name).read_text())
    return folder


def entry(kind: str, **more: object) -> str:
    return json.dumps({"kind": kind, **more})


ONE = [
    entry("user", text="What is there?"),
    entry("model", text="", calls=[{"id": "c", "name": "list_dishes", "arguments": {}}]),
    entry("results", results=[{"call_id": "c", "name": "list_dishes", "content": {}}]),
    entry("model", text="Pizza."),
    entry("event", event="request_created", data={}),
    entry("user", text="Order it."),
    entry("event", event="request_decided", data={}),
    entry("model", text="Done."),
]
TWO = [entry("event", event="request_decided", data={}), "{broken"]


async def fill(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(
            text("INSERT INTO tenants (environment, key, name) VALUES ('default', 'default', 'Home')")
        )
        await transaction.execute(
            text("INSERT INTO users (environment, key, first_name, attributes) VALUES ('default', '3', 'Henry', '{}')")
        )
        for name, bodies in (("one", ONE), ("two", TWO), ("empty", [])):
            await transaction.execute(
                text(
                    "INSERT INTO conversations (id, user_key, tenant, title, created_at, updated_at) "
                    "VALUES (:id, '3', 'default', :id, '2026-11-22 12:00:00+00:00', '2026-11-22 12:00:00+00:00')"
                ),
                {"id": name},
            )
            for seq, body in enumerate(bodies):
                at = f"2026-11-22 12:{seq:02}:00+00:00"
                await transaction.execute(
                    text(
                        f"INSERT INTO conversation_entries (conversation_id, seq, body, at) VALUES (:id, :s, :b, '{at}')"
                    ),
                    {"id": name, "s": seq, "b": body},
                )


async def test_conversations_from_before_turns_were_kept_have_them_afterwards(
    database: Database, first_version: Path
) -> None:
    await migrate(database, first_version, VERSION_TABLE)
    await fill(database)
    await migrate(database, MIGRATIONS, VERSION_TABLE)
    wanted = text("SELECT conversation_id, number, cause, said, first_seq, outcome FROM turns ORDER BY 1, 2")
    async with database.reading() as reading:
        assert [tuple(row) for row in await reading.execute(wanted)] == [
            ("one", 1, "message", "What is there?", 0, "completed"),
            ("one", 2, "message", "Order it.", 4, "completed"),
            ("two", 1, "event", "", 0, "completed"),
        ]
        assert (await reading.execute(text("SELECT count(*) FROM conversation_entries"))).scalar_one() == len(ONE + TWO)
        kept_in = text("SELECT DISTINCT environment FROM conversations")
        assert (await reading.execute(kept_in)).scalars().all() == ["default"]
    store = ConversationStore(database)
    stored = await store.load("one", HENRY)
    assert (len(stored.entries), stored.next_turn, stored.interrupted) == (len(ONE), 3, None)
    await store.begin_turn("one", 3, "message", message_id="m", first_seq=len(ONE), entries=[])
    async with database.reading() as reading:
        times = text("SELECT started_at, ended_at FROM turns WHERE conversation_id = 'one' AND number = 2")
        row = (await reading.execute(times)).one()
    moments = [datetime.fromisoformat(str(each)) for each in row]
    assert [each.replace(tzinfo=UTC) for each in moments] == [NOON + timedelta(minutes=4), NOON + timedelta(minutes=7)]

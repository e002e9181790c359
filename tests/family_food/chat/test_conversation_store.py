"""Conversations and accounts in the database, on both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from family_food.chat.conversation_store import ConversationStore
from family_food.login.accounts import Accounts
from family_food.messages import Entry, EventMessage, ModelStep, ToolCall, ToolResult, ToolResults, UserMessage
from family_food.ordering.food import Food, open_food
from family_food.tables import accounts, conversations
from permit_core.errors import Conflict, NotFound
from permit_core.identity import Principal
from permit_core.policy.facts_file import load_facts
from tests.support.core import family_settings

HENRY = Principal("3", "default", "Henry")
ROSE = Principal("4", "default", "Rose")

ENTRIES: list[Entry] = [
    UserMessage(text="What is there? \u2028 'quoted' 🍕"),
    ModelStep(
        text="", calls=[ToolCall(id="c1", name="list_dishes", arguments={"n": 1})], provider="x", native=[{"a": 1}]
    ),
    ToolResults(results=[ToolResult(call_id="c1", name="list_dishes", content={"dishes": []})]),
    EventMessage(event="request_decided", data={"status": "denied"}),
]


@pytest.fixture
async def food(database_url: str, tmp_path: Path) -> AsyncIterator[Food]:
    opened = await open_food(family_settings(tmp_path, database_url))
    try:
        core = opened.core
        async with core.database.transaction() as transaction:
            await core.directory.load(load_facts(core.settings.facts_file), transaction)
        yield opened
    finally:
        await opened.close()


async def test_entries_come_back_as_they_were_in_order(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    await store.append(chat, 0, ENTRIES[:2])
    await store.append(chat, 2, ENTRIES[2:])
    assert (await store.load(chat, HENRY)).entries == ENTRIES
    async with food.core.database.reading() as reading:
        title = (await reading.execute(select(conversations.c.title))).scalar_one()
    assert title.startswith("What is there?")


async def test_a_place_that_is_taken_is_not_written_again(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    await store.append(chat, 0, ENTRIES)
    with pytest.raises(Conflict):
        await store.append(chat, 3, ENTRIES[:2])
    assert (await store.load(chat, HENRY)).entries == ENTRIES


async def test_a_conversation_is_its_owner_s_alone(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    for stranger in (ROSE, Principal("3", "another", "Henry")):
        with pytest.raises(NotFound):
            await store.load(chat, stranger)
    with pytest.raises(NotFound):
        await store.load("../../x", HENRY)


async def test_an_account_is_found_by_its_exact_name_and_says_who_that_is_now(food: Food) -> None:
    core = food.core
    async with core.database.transaction() as transaction:
        row = {"user_key": "3", "username": "henry", "hashed_password": "$2b$..."}
        await transaction.execute(insert(accounts).values(**row))
    found = Accounts(core.database, core.directory, "default")
    user = await found.chat_user("henry")
    assert user is not None
    assert (user.principal.user, user.principal.name, user.role) == ("3", "Henry", "child")
    for nobody in ("Henry", "henry ", "", "\0", "h" * 101, "3", "' OR 1=1 --"):
        assert await found.chat_user(nobody) is None
    assert await Accounts(core.database, core.directory, "no such tenant").chat_user("henry") is None

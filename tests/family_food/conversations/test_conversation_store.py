"""Conversations and accounts in the database, on both kinds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from family_food.conversations.conversation_store import ConversationStore
from family_food.conversations.stored_conversation import Interrupted
from family_food.login.accounts import ChatAccounts
from family_food.messages import Entry, EventMessage, ModelStep, ToolCall, ToolResult, ToolResults, UserMessage
from family_food.ordering.food import Food, open_food
from family_food.tables import conversations
from permit_core.accounts.accounts import Accounts
from permit_core.accounts.tokens import TokenClaims
from permit_core.database import Database
from permit_core.errors import Conflict, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.policy.facts_file import load_facts
from permit_core.ports.record import AuditEvent, RecordFilter
from tests.support.core import SYSTEM, family_settings

HENRY = Actor("default", "default", "3", "Henry")
ROSE = Actor("default", "default", "4", "Rose")

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
            await core.directory.load(core.system, load_facts(core.settings.facts_file), transaction)
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
    await begin(store, chat)
    for stranger in (ROSE, Actor("default", "another", "3", "Henry"), Actor("another", "default", "3", "Henry")):
        assert (await store.listed(stranger)).items == []
        with pytest.raises(NotFound):
            await store.load(chat, stranger)
    with pytest.raises(NotFound):
        await store.load("../../x", HENRY)


async def begin(store: ConversationStore, chat: str, number: int = 1, message: str | None = None, **more: Any) -> None:
    values: dict[str, Any] = {"first_seq": 0, "entries": [UserMessage(text="Pizza?")], **more}
    await store.begin_turn(chat, number, values.pop("cause", "message"), message_id=message, **values)


async def table(food: Food, query: str) -> list[tuple[Any, ...]]:
    async with food.core.database.reading() as reading:
        return [tuple(row) for row in await reading.execute(text(query))]


async def test_a_turn_its_entries_and_its_audit_record_are_one(food: Food) -> None:
    store = ConversationStore(food.core.database, food.core.audit)
    chat = await store.create(HENRY)
    await begin(
        store, chat, message="m1", events=[AuditEvent("turn.started", Actor("default", "default", "3"), {"turn": 1})]
    )
    assert await table(food, "SELECT number, message_id, said, outcome FROM turns") == [(1, "m1", "Pizza?", "running")]
    ended = AuditEvent("turn.ended", Actor("default", "default", "3"), {"turn": 1})
    await store.end_turn(chat, 1, "completed", first_seq=1, entries=[ModelStep(text="Yes.")], events=[ended])
    stored = await store.load(chat, HENRY)
    assert (stored.entries, stored.next_turn) == ([UserMessage(text="Pizza?"), ModelStep(text="Yes.")], 2)
    assert (stored.title, stored.interrupted, set(stored.message_ids)) == ("Pizza?", None, {"m1"})
    assert [record.event for record in await food.core.audit.latest("default", limit=2)] == [
        "turn.started",
        "turn.ended",
    ]

    unsayable = AuditEvent("turn.started", Actor("default", "default", "3"), {"turn": object()})
    with pytest.raises(TypeError):
        await begin(store, chat, 2, first_seq=2, events=[unsayable])
    assert await store.load(chat, HENRY) == stored


async def test_events_without_a_log_to_keep_them_are_an_error(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    with pytest.raises(ValueError, match="without an audit log"):
        await begin(store, chat, events=[AuditEvent("turn.started", Actor("default", "", "3"))])
    assert await table(food, "SELECT * FROM turns") == []


async def test_a_message_is_taken_once_whatever_number_its_turn_has(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat, other = await store.create(HENRY), await store.create(HENRY)
    await begin(store, chat, message="m1")
    with pytest.raises(Conflict) as caught:
        await begin(store, chat, 2, message="m1", first_seq=1)
    assert caught.value.code == "duplicate_message"
    await begin(store, other, message="m1")
    await begin(store, chat, 2, first_seq=1)
    await begin(store, chat, 3, first_seq=2)  # no id, no claim


async def test_of_many_that_bring_the_same_message_at_once_one_is_taken(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    outcomes = await asyncio.gather(
        *(
            begin(ConversationStore(food.core.database), chat, number, message="m1", first_seq=number)
            for number in range(1, 6)
        ),
        return_exceptions=True,
    )
    assert sorted(str(getattr(each, "code", each)) for each in outcomes) == ["None", *["duplicate_message"] * 4]
    assert len((await store.load(chat, HENRY)).entries) == 1


async def test_who_has_lost_the_conversation_writes_nothing_more(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    await begin(store, chat)
    assert (await store.load(chat, HENRY)).interrupted is not None  # somebody else goes on
    with pytest.raises(Conflict, match="another window") as caught:
        await store.end_turn(chat, 1, "completed", first_seq=1, entries=[ModelStep(text="late")])
    assert caught.value.code == "conversation_moved"
    for number, first in ((1, 1), (2, 0)):
        with pytest.raises(Conflict) as caught:
            await begin(store, chat, number, message="m9", first_seq=first)
        assert caught.value.code == "conversation_moved"
    assert len((await store.load(chat, HENRY)).entries) == 1


async def test_an_id_that_cannot_be_stored_is_refused(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    for bad in ("a\0b", "\ud800", "new\nline"):
        with pytest.raises(InvalidInput):
            await begin(store, chat, message=bad)
    await begin(store, chat, message="m", entries=[UserMessage(text="nul \0 and half \u2028")])
    assert (await store.load(chat, HENRY)).title == "nul and half"


async def test_a_call_whose_answer_was_never_kept_gets_one_that_says_so_once(food: Food) -> None:
    store = ConversationStore(food.core.database, food.core.audit)
    chat = await store.create(HENRY)
    await begin(store, chat)
    step = ModelStep(
        calls=[ToolCall(id="a", name="order_dish", arguments={}), ToolCall(id="b", name="x", arguments={})]
    )
    await store.append(chat, 1, [step])
    stored = await store.load(chat, HENRY)
    results = stored.entries[2]
    assert isinstance(results, ToolResults)
    assert [(each.call_id, each.name, each.is_error) for each in results.results] == [
        ("a", "order_dish", True),
        ("b", "x", True),
    ]
    assert {each.content["error"]["code"] for each in results.results} == {"interrupted"}
    assert stored.interrupted == Interrupted(turn=1, said="Pizza?")
    assert await store.load(chat, HENRY) == stored
    (record,) = await food.core.audit.records("default", RecordFilter(event="turn.interrupted"))
    assert record.body == {"session": chat, "turn": 1}


async def test_an_interrupted_turn_is_told_until_another_one_comes(food: Food) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    await begin(store, chat)
    assert (await store.load(chat, HENRY)).interrupted == Interrupted(turn=1, said="Pizza?")
    again = EventMessage(event="turn_interrupted", data={})
    await begin(store, chat, 2, cause="continue", first_seq=1, entries=[again])
    # Cut short again: it is still the first words that wait for an answer.
    assert (await store.load(chat, HENRY)).interrupted == Interrupted(turn=2, said="Pizza?")
    await begin(store, chat, 3, cause="continue", first_seq=2, entries=[again])
    await store.end_turn(chat, 3, "completed", first_seq=3)
    assert (await store.load(chat, HENRY)).interrupted is None


async def test_two_processes_that_load_at_once_settle_it_once(food: Food, database_url: str) -> None:
    store = ConversationStore(food.core.database)
    chat = await store.create(HENRY)
    await begin(store, chat)
    await store.append(chat, 1, [ENTRIES[1]])
    others = [Database.open(database_url) for _ in range(3)]
    loaded = await asyncio.gather(*(ConversationStore(each).load(chat, HENRY) for each in others))
    assert all(each == loaded[0] and len(each.entries) == 3 for each in loaded)
    for each in others:
        await each.close()


async def test_a_list_has_what_was_said_in_of_this_user_the_latest_first(food: Food) -> None:
    store = ConversationStore(food.core.database)
    mine = [await store.create(HENRY) for _ in range(5)]
    theirs = await store.create(ROSE)
    for index, chat in enumerate([*mine[:4], theirs]):
        await begin(store, chat, entries=[UserMessage(text=f"message {index}")])
    await begin(store, mine[1], 2, first_seq=1)
    page = await store.listed(HENRY, 1, 3)
    assert (page.total, [(each.title, each.turns) for each in page.items]) == (
        4, [("message 1", 2), ("message 3", 1), ("message 2", 1)],
    )  # fmt: skip
    assert page.items[0].updated_at > page.items[0].created_at
    assert [each.id for each in (await store.listed(HENRY, 2, 3)).items] == [mine[0]]
    assert (await store.listed(Actor("default", "another", "3", "Henry"))).total == 0
    with pytest.raises(InvalidInput):
        await store.listed(HENRY, 0)


async def test_a_title_is_the_first_words_until_somebody_gives_another(food: Food) -> None:
    store = ConversationStore(food.core.database, food.core.audit)
    chat = await store.create(HENRY)
    await begin(store, chat, entries=[ENTRIES[3]], cause="event")
    assert (await store.load(chat, HENRY)).title == ""
    await begin(store, chat, 2, first_seq=1, entries=[UserMessage(text="I would like " + "a very long dish " * 20)])
    title = (await store.load(chat, HENRY)).title
    assert title.startswith("I would like a very")
    assert title.endswith("…")
    assert len(title) <= 80
    assert await store.rename(chat, HENRY, " Pizza\x1b[31m\n night ") == "Pizza[31m night"
    await begin(store, chat, 3, first_seq=2)
    assert (await store.load(chat, HENRY)).title == "Pizza[31m night"
    for bad in ("", " \n\u200b", "x" * 201):
        with pytest.raises(InvalidInput):
            await store.rename(chat, HENRY, bad)
    with pytest.raises(NotFound):
        await store.rename(chat, ROSE, "mine now")
    (record,) = await food.core.audit.records("default", RecordFilter(event="conversation.renamed"))
    assert (record.user, record.body) == ("3", {"session": chat, "title": "Pizza[31m night"})


async def test_a_deleted_conversation_is_gone_and_the_log_is_not(food: Food) -> None:
    store = ConversationStore(food.core.database, food.core.audit)
    chat = await store.create(HENRY)
    await begin(store, chat, events=[AuditEvent("turn.started", Actor("default", "default", "3"), {})])
    with pytest.raises(NotFound):
        await store.delete(chat, ROSE)
    await store.delete(chat, HENRY)
    for query in ("SELECT * FROM turns", "SELECT * FROM conversation_entries", "SELECT * FROM conversations"):
        assert await table(food, query) == []
    assert [each.event for each in await food.core.audit.latest("default", limit=2)] == [
        "turn.started",
        "conversation.deleted",
    ]
    for gone in (
        store.load(chat, HENRY),
        store.delete(chat, HENRY),
        begin(store, chat, 2, first_seq=1),
        store.append(chat, 1, [ModelStep(text="late")]),
    ):
        with pytest.raises(NotFound):
            await gone


async def test_what_nothing_was_said_in_is_forgotten(food: Food) -> None:
    store = ConversationStore(food.core.database)
    empty, used = await store.create(HENRY), await store.create(HENRY)
    await begin(store, used)
    assert [await store.forget_if_empty(each) for each in (empty, used, empty)] == [True, False, False]
    await store.check(used, HENRY)
    for who, which in ((HENRY, empty), (ROSE, used)):
        with pytest.raises(NotFound):
            await store.check(which, who)


async def test_an_account_is_found_by_its_exact_name_and_says_who_that_is_now(food: Food) -> None:
    core = food.core
    accounts = Accounts(core.database, core.audit)
    account = await accounts.add(SYSTEM, "henry", "3", "henry_password")
    found = ChatAccounts(core.database, accounts, core.directory, "default", "default")

    def claims(**changes: str) -> TokenClaims:
        named = {"environment": "default", "login": "henry", "epoch": account.epoch, **changes}
        return TokenClaims(**named, token_id="1", login_at=0, expires_at=0)

    user = await found.chat_user(claims())
    assert user is not None
    assert (user.actor.user, user.actor.name, user.role) == ("3", "Henry", "child")
    assert await found.holds(claims())
    for nobody in ("Henry", "henry ", "", "\0", "h" * 101, "3", "' OR 1=1 --"):
        assert await found.chat_user(claims(login=nobody)) is None
    assert await found.chat_user(claims(environment="another")) is None
    assert await found.chat_user(claims(epoch="another")) is None
    elsewhere = ChatAccounts(core.database, accounts, core.directory, "default", "no such tenant")
    assert await elsewhere.chat_user(claims()) is None

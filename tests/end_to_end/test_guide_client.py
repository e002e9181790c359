"""Whoever wrote a client from the guide can use this backend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from family_food.demo.backend import DemoBackend
from family_food.tables import orders
from permit_core.database import Database
from permit_core.stores.tables import requests
from tests.support.guide_client import GuideClient, login

pytestmark = pytest.mark.slow


@pytest.fixture
async def backend() -> AsyncIterator[DemoBackend]:
    async with DemoBackend() as running:
        yield running


async def test_it_logs_in_chats_and_orders(backend: DemoBackend) -> None:
    assert await login(backend.url, "henry", "wrong") is None
    token = await login(backend.url, "henry", "henry_password")
    assert token is not None
    async with GuideClient.chatting(backend.url, token) as client:
        said = await client.say("Which restaurants are there?")
        assert "Assistant: " in said
        assert "[Status] Processing function calls..." in said
        assert "Pizza Palace" in said
        assert "Cheese Pizza" in await client.say("Show me the menu of Pizza Palace")
        assert "Cheese Pizza" in await client.say("Order a Cheese Pizza at Pizza Palace")
        assert [content["role"] for content in client.history][:2] == ["user", "model"]
        parts = [part for content in client.history for part in content["parts"]]
        assert {key for part in parts for key in part} == {"text", "function_call", "function_response"}
    assert await _ordered(backend) == [("3", "1-cheese-pizza")]


async def test_a_parent_confirms_a_decision_by_saying_yes(backend: DemoBackend) -> None:
    child_token = await login(backend.url, "henry", "henry_password")
    parent_token = await login(backend.url, "joe", "joe_password")
    assert child_token
    assert parent_token
    async with (
        GuideClient.chatting(backend.url, child_token) as child,
        GuideClient.chatting(backend.url, parent_token) as parent,
    ):
        await child.say("Please ask for access to Sushi World, because it is my birthday")
        question = await parent.say("Approve Henry's request for Sushi World")
        assert 'Answer "yes" or "no".' in question
        assert "my birthday" in question
        assert await _statuses(backend) == ["pending"]
        await parent.say("yes")
        assert await _statuses(backend) == ["approved"]


async def _ordered(backend: DemoBackend) -> list[tuple[str, str]]:
    database = Database.open(backend.settings.resolved_database_url)
    try:
        async with database.reading() as reading:
            return [(row.user_key, row.dish_key) for row in await reading.execute(select(orders))]
    finally:
        await database.close()


async def _statuses(backend: DemoBackend) -> list[str]:
    database = Database.open(backend.settings.resolved_database_url)
    try:
        async with database.reading() as reading:
            return list((await reading.execute(select(requests.c.status))).scalars())
    finally:
        await database.close()

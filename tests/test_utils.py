"""The guide's helper names do what the guide says they do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from mcp.types import Tool
from starlette.websockets import WebSocket

import utils
from family_food.chat.tool_session import ToolSession
from family_food.login.accounts import PRODUCT, ChatAccounts
from family_food.login.signing_key import signing_key
from family_food.ordering.food import open_food
from family_food.settings import ChatSettings
from permit_core.accounts.accounts import Accounts
from permit_core.accounts.tokens import Tokens
from permit_core.policy.loader import load_policy
from tests.support.core import family_settings
from tests.support.tiny_start import tiny

TOOLS = [
    Tool(
        name="order_dish", description="Order", input_schema={"type": "object", "properties": {"n": {"type": "string"}}}
    ),
    Tool(name="approve_access_request", input_schema={"type": "object"}),
]


def socket(authorization: str) -> WebSocket:
    async def nothing(*_: object) -> None:
        return None

    headers = [(b"authorization", authorization.encode())] if authorization else []
    return WebSocket({"type": "websocket", "headers": headers}, nothing, nothing)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> ChatSettings:
    return family_settings(tmp_path)


async def test_a_new_database_knows_the_family_and_their_passwords(settings: ChatSettings) -> None:
    await utils.init_db(settings)
    await utils.init_db(settings)
    food = await open_food(settings)
    try:
        core = food.core
        accounts = ChatAccounts(
            core.database, Accounts(core.database, core.audit), core.directory, settings.environment, settings.tenant
        )
        henry = await utils.get_user(accounts, "henry")
        assert henry is not None
        assert await utils.verify_password("henry_password", henry.hashed_password)
        assert not await utils.verify_password("rose_password", henry.hashed_password)
        assert await utils.get_user(accounts, "nobody") is None

        token = utils.create_access_token({"sub": "henry", "epoch": henry.epoch}, timedelta(minutes=5), settings)
        tokens = Tokens(signing_key(settings), 60, PRODUCT)
        current = await utils.get_current_websocket_user(socket(f"Bearer {token}"), tokens, accounts)
        assert current is not None
        user, claims = current
        assert (user.actor.user, user.role) == ("3", "child")
        assert 200 < tokens.seconds_left(claims) <= 300
        for wrong in ("", token, f"Basic {token}", f"Bearer {token}x"):
            assert await utils.get_current_websocket_user(socket(wrong), tokens, accounts) is None
    finally:
        await food.close()


def test_tools_are_filtered_by_the_policy(settings: ChatSettings) -> None:
    policy = load_policy(settings.policy_file)
    assert [tool.name for tool in utils.filter_tools_by_role(TOOLS, ["child"], policy)] == ["order_dish"]
    assert utils.filter_tools_by_role(TOOLS, ["stranger"], policy) == []


def test_tools_are_given_to_gemini_with_their_own_schema() -> None:
    declared = utils.convert_mcp_tools_to_gemini(TOOLS)
    assert declared[0] == {
        "name": "order_dish",
        "description": "Order",
        "parameters_json_schema": {"type": "object", "properties": {"n": {"type": "string"}}},
    }
    assert declared[1]["description"] == "approve_access_request", "a description is never missing"


async def test_a_tool_call_is_repeated_when_that_is_harmless(tmp_path: Path) -> None:
    async with ToolSession(tiny(), 30) as tools:
        result = await utils.retry_tool_call(tools, "die_reading", {"path": str(tmp_path / "died")}, read_only=True)
    assert result.structured_content == {"result": "alive"}

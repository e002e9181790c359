"""The helper names of Permit.io's guide (see README.md), each a few lines over the packages that do the work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from mcp.types import CallToolResult, Tool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from family_food.chat.tool_session import ToolSession
from family_food.chat.toolbox import declarations
from family_food.login.accounts import PRODUCT, ChatAccounts, ChatUser
from family_food.login.signing_key import signing_key
from family_food.models.port import ToolDeclaration
from family_food.ordering.food import open_food
from family_food.seed import seed
from family_food.settings import ChatSettings
from permit_core.accounts import passwords
from permit_core.accounts.accounts import Account
from permit_core.accounts.tokens import TokenClaims, Tokens
from permit_core.errors import Forbidden
from permit_core.policy.model import PolicyModel


async def init_db(settings: ChatSettings | None = None) -> None:
    """Make the database, or bring it up to date, and fill a new one with the family, its restaurants and dishes."""
    chosen = settings or ChatSettings.load()
    food = await open_food(chosen)
    try:
        await seed(food.core, chosen)
    finally:
        await food.close()


async def get_user(accounts: ChatAccounts, username: str) -> Account | None:
    """The account with this log-in name."""
    return await accounts.find(username)


async def verify_password(plain_password: str, hashed_password: str | None) -> bool:
    """Whether the password is right; takes as long when there is no such account and hence no hash."""
    return await passwords.verify_password(plain_password, hashed_password)


def create_access_token(
    data: dict[str, str], expires_delta: timedelta | None = None, settings: ChatSettings | None = None
) -> str:
    """A signed token for the account with the login ``data["sub"]`` and the epoch ``data["epoch"]``.

    It is good until it expires, or the account is closed or gets another password: then it has another epoch.
    """
    chosen = settings or ChatSettings.load()
    lifetime = expires_delta or timedelta(minutes=chosen.access_token_expire_minutes)
    tokens = Tokens(signing_key(chosen), lifetime.total_seconds(), PRODUCT)
    return tokens.issue(chosen.environment, data["sub"], data["epoch"]).access_token


def bearer_token(connection: HTTPConnection) -> str:
    """The token of an ``Authorization: Bearer`` header, or nothing."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def get_current_websocket_user(
    websocket: WebSocket, tokens: Tokens, accounts: ChatAccounts
) -> tuple[ChatUser, TokenClaims] | None:
    """Who opens this socket, by the verified token in its header; None when nobody we know does."""
    try:
        claims = tokens.verify(bearer_token(websocket))
    except Forbidden:
        return None
    user = await accounts.chat_user(claims)
    return None if user is None else (user, claims)


def filter_tools_by_role(tools: Iterable[Tool], roles: Iterable[str], policy: PolicyModel) -> list[Tool]:
    """The tools that a holder of these tenant roles sees, by the policy."""
    visible = policy.tools_for(roles)
    return [tool for tool in tools if tool.name in visible]


def convert_mcp_tools_to_gemini(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """Function declarations with the tools' own JSON schemas."""

    def declaration(tool: ToolDeclaration) -> dict[str, Any]:
        return {
            "name": tool.name,
            "description": tool.description,
            "parameters_json_schema": dict(tool.input_schema),
        }

    return [declaration(tool) for tool in declarations(tools)]


async def retry_tool_call(
    session: ToolSession, name: str, arguments: dict[str, Any], *, read_only: bool = False
) -> CallToolResult:
    """Call a tool in the session's process; a read-only call is repeated once when the process died under it.

    Raises:
        ToolsUnavailable: no answer.
    """
    return await session.call(name, arguments, read_only=read_only)

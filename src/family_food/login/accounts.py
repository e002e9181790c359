"""Who may chat: the core's accounts, and the users of the directory behind them."""

from __future__ import annotations

from dataclasses import dataclass

from permit_core.accounts.accounts import Account, Accounts
from permit_core.accounts.tokens import TokenClaims
from permit_core.database import Database
from permit_core.identity import Actor
from permit_core.ports.directory import Directory

PRODUCT = "family-food-chat"
"""Issuer and audience of the chat's tokens."""


@dataclass(frozen=True, slots=True)
class ChatUser:
    """Somebody whose token was verified.

    Attributes:
        roles: the tenant roles held now, sorted.
    """

    username: str
    actor: Actor
    roles: tuple[str, ...]

    @property
    def role(self) -> str:
        """The roles in one word, for display."""
        return ", ".join(self.roles)


class ChatAccounts:
    """The accounts of the chat's environment.

    Args:
        tenant: the tenant that people act in.
    """

    def __init__(
        self, database: Database, accounts: Accounts, directory: Directory, environment: str, tenant: str
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._directory = directory
        self._environment = environment
        self._tenant = tenant

    async def find(self, username: str) -> Account | None:
        """The account with exactly this name, or None."""
        return await self._accounts.find(self._environment, username)

    async def log_in(self, username: str, password: str) -> Account:
        """The account that the password opens.

        Raises:
            Forbidden, TooMany, StoreError: as of :meth:`permit_core.accounts.accounts.Accounts.log_in`.
        """
        return await self._accounts.log_in(self._environment, username, password)

    async def holds(self, claims: TokenClaims) -> bool:
        """Whether a verified token is still good: the account is open, and nothing has ended its tokens since.

        Raises:
            StoreError: the database cannot be used.
        """
        return await self._accounts.holding(claims.environment, claims.login, claims.epoch) is not None

    async def chat_user(self, claims: TokenClaims) -> ChatUser | None:
        """The person behind a verified token as the directory knows them now; None when token or person is gone."""
        if claims.environment != self._environment:
            return None
        async with self._database.reading() as transaction:
            account = await self._accounts.holding(claims.environment, claims.login, claims.epoch, transaction)
            if account is None:
                return None
            actor = await self._directory.actor(self._environment, self._tenant, account.user, transaction)
            if actor is None:
                return None
            roles = await self._directory.tenant_roles(self._environment, self._tenant, account.user, transaction)
        return ChatUser(account.login, actor, tuple(sorted(roles)))

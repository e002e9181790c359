"""Who may log in, and who they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from family_food.tables import accounts
from permit_core.database import Database, Transaction
from permit_core.identity import Actor
from permit_core.ports.directory import Directory

_MAX_USERNAME = 100
_ACCOUNT = select(accounts.c.username, accounts.c.user_key, accounts.c.hashed_password).where(
    accounts.c.username == bindparam("username")
)


@dataclass(frozen=True, slots=True)
class Account:
    """A log-in. ``user`` is the directory key of whom it belongs to."""

    username: str
    user: str
    hashed_password: str


@dataclass(frozen=True, slots=True)
class ChatUser:
    """Somebody whose token or password was verified.

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


class Accounts:
    """Reads accounts; seeding writes them.

    Args:
        environment: the environment that people act in.
        tenant: the tenant that they act in.
    """

    def __init__(self, database: Database, directory: Directory, environment: str, tenant: str) -> None:
        self._database = database
        self._directory = directory
        self._environment = environment
        self._tenant = tenant

    async def find(self, username: str) -> Account | None:
        """The account with exactly this name, or None."""
        async with self._database.reading() as transaction:
            return await self._find(username, transaction)

    async def _find(self, username: str, transaction: Transaction) -> Account | None:
        # Half a character or a NUL is no name, and not every database takes it for a question.
        if not 1 <= len(username) <= _MAX_USERNAME or re.search("[\0\ud800-\udfff]", username):
            return None
        row = (await transaction.execute(_ACCOUNT, {"username": username})).one_or_none()
        return None if row is None else Account(row.username, row.user_key, row.hashed_password)

    async def chat_user(self, username: str) -> ChatUser | None:
        """The person behind a log-in name as the directory knows them now; None when either is gone."""
        async with self._database.reading() as transaction:
            account = await self._find(username, transaction)
            if account is None:
                return None
            actor = await self._directory.actor(self._environment, self._tenant, account.user, transaction)
            if actor is None:
                return None
            roles = await self._directory.tenant_roles(account.user, self._tenant, transaction)
        return ChatUser(account.username, actor, tuple(sorted(roles)))

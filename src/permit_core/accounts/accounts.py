"""Who may log in to an environment with a password, and as which user of its directory.

Every account has an *epoch*, a random word that is given anew whenever its tokens are to end: when it is closed, opened again,
or gets another password. A token carries the epoch it was issued in, and each verification compares it with the stored
one, so that it ends in every process at once. An account that was removed and made again has another epoch, too.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, bindparam, insert, select, update

from permit_core.accounts.passwords import hash_password, verify_password
from permit_core.clock import Clock, utc_now
from permit_core.database import Database, Transaction
from permit_core.errors import Conflict, ConstraintViolated, Forbidden, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.stores.tables import local_accounts
from permit_core.views import plain

MAX_LOGIN = 100
MIN_PASSWORD = 8
"""Characters of a password that a person chooses."""

State = Literal["open", "closed"]

_COLUMNS = (
    local_accounts.c.environment,
    local_accounts.c.login,
    local_accounts.c.user_key,
    local_accounts.c.state,
    local_accounts.c.epoch,
    local_accounts.c.hashed_password,
    local_accounts.c.created_at,
    local_accounts.c.password_changed_at,
)
_FIND = select(*_COLUMNS).where(
    local_accounts.c.environment == bindparam("environment"), local_accounts.c.login == bindparam("login")
)


@dataclass(frozen=True, slots=True)
class Account:
    """A log-in.

    Attributes:
        environment: the key of the environment it belongs to.
        login: the name that is typed; unique in the environment, compared exactly.
        user: the key of the directory's user whose it is; each has one account at most.
        state: a closed account lets nobody in and has no good token.
        epoch: what its good tokens carry.
        hashed_password: bcrypt.
        created_at: in UTC.
        password_changed_at: in UTC.
    """

    environment: str
    login: str
    user: str
    state: State
    epoch: str
    hashed_password: str = field(repr=False)
    created_at: datetime
    password_changed_at: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a new account is made of, with a password that is hashed already."""

    login: str
    user: str
    hashed_password: str = field(repr=False)


class Accounts:
    """The accounts of every environment.

    Args:
        audit: where each change is recorded, in the transaction that makes it.
        clock: the present moment, in UTC.
    """

    def __init__(self, database: Database, audit: Audit, clock: Clock = utc_now) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    # Looking

    async def find(self, environment: str, login: str, transaction: Transaction | None = None) -> Account | None:
        """The account with exactly this name, open or closed, or None.

        Raises:
            StoreError: the database cannot be used.
        """
        # Half a character or a NUL is no name, and not every database takes it for a question.
        if not 1 <= len(login) <= MAX_LOGIN or re.search("[\0\ud800-\udfff]", login):
            return None
        async with self._database.joined(transaction) as reading:
            row = (await reading.execute(_FIND, {"environment": environment, "login": login})).one_or_none()
        return None if row is None else _account(row)

    async def list_all(self, environment: str) -> list[Account]:
        """Every account of an environment, by name.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(*_COLUMNS).where(local_accounts.c.environment == environment).order_by(local_accounts.c.login)
        async with self._database.reading() as reading:
            return [_account(row) for row in await reading.execute(query)]

    # Logging in

    async def log_in(self, environment: str, login: str, password: str) -> Account:
        """The account that the password opens; tokens are issued in its epoch.

        It takes as long when there is no such account, or it is closed.

        Raises:
            Forbidden: ``wrong_login``: no such account, or not its password, or it was closed or changed meanwhile. Which
                of them is not said.
            TooMany: ``too_many_logins``: so many wait already that it was not checked.
            StoreError: the database cannot be used.
        """
        account = await self.find(environment, login)
        opens = account is not None and account.state == "open"
        matches = await verify_password(password, account.hashed_password if account is not None and opens else None)
        # Looked at again: checking takes a good part of a second.
        if account is not None and matches and (still := await self.holding(environment, login, account.epoch)):
            return still
        raise Forbidden("Incorrect user name or password.", code="wrong_login", hint="Try again.")

    async def holding(
        self, environment: str, login: str, epoch: str, transaction: Transaction | None = None
    ) -> Account | None:
        """The account that a token of this epoch is good for; None when the token has ended with it.

        Raises:
            StoreError: the database cannot be used.
        """
        account = await self.find(environment, login, transaction)
        return account if account is not None and account.state == "open" and account.epoch == epoch else None

    # Changing

    async def add(self, actor: Actor, login: str, user: str, password: str) -> Account:
        """Make an account in the actor's environment, or open a closed one of the same name and user again.

        Raises:
            InvalidInput: ``invalid_login``, ``invalid_password``.
            NotFound: ``no_such_user``: the directory does not know the user.
            Conflict: ``account_exists``: the name is taken, or the user has an account.
            StoreError: the database cannot be used; nothing was changed.
        """
        if not 1 <= len(login) <= MAX_LOGIN or plain(login) != login or login != login.strip():
            raise InvalidInput(
                f"A log-in name has 1 to {MAX_LOGIN} visible characters.", code="invalid_login", hint="Choose another."
            )
        hashed = await _chosen(password)
        async with self._database.transaction(actor.environment) as transaction:
            there = await self.find(actor.environment, login, transaction)
            if there is not None:
                if there.state == "open" or there.user != user:
                    raise _exists(f"There is an account {login!r} already.")
                await self._change(transaction, actor, there, "account.reopened", hashed=hashed, state="open")
            else:
                await self._insert(transaction, actor, [NewAccount(login, user, hashed)])
                await self._audit.append(transaction, _event("account.added", actor, login, user))
            made = await self.find(actor.environment, login, transaction)
        if made is None:
            raise AssertionError("it was just written")
        return made

    async def seed(self, transaction: Transaction, actor: Actor, accounts: Sequence[NewAccount]) -> list[str]:
        """Make those of the accounts whose users have none, in the caller's transaction; their names.

        Raises:
            NotFound, Conflict: as of :meth:`add`.
        """
        mine = local_accounts.c.environment == actor.environment
        taken = set((await transaction.execute(select(local_accounts.c.user_key).where(mine))).scalars())
        new = [each for each in accounts if each.user not in taken]
        if new:
            await self._insert(transaction, actor, new)
        names = [each.login for each in new]
        await self._audit.append(transaction, AuditEvent("accounts.seeded", actor, {"logins": names}))
        return names

    async def change_password(self, actor: Actor, login: str, password: str) -> None:
        """Give an account another password. Every token that it has ends.

        Raises:
            InvalidInput: ``invalid_password``.
            NotFound: ``no_such_account``.
            Conflict: ``account_closed``.
            StoreError: the database cannot be used; nothing was changed.
        """
        hashed = await _chosen(password)
        async with self._database.transaction(actor.environment) as transaction:
            account = await self._open_one(transaction, actor, login)
            await self._change(transaction, actor, account, "account.password_changed", hashed=hashed)

    async def close(self, actor: Actor, login: str) -> None:
        """Close an account. Every token that it has ends; :meth:`add` opens it again.

        Raises:
            NotFound: ``no_such_account``.
            Conflict: ``account_closed``: it is already.
            StoreError: the database cannot be used; nothing was changed.
        """
        async with self._database.transaction(actor.environment) as transaction:
            account = await self._open_one(transaction, actor, login)
            await self._change(transaction, actor, account, "account.closed", state="closed")

    async def _open_one(self, transaction: Transaction, actor: Actor, login: str) -> Account:
        account = await self.find(actor.environment, login, transaction)
        if account is None:
            raise NotFound(
                "There is no such account.", code="no_such_account", hint="permit-mcp accounts list shows them all."
            )
        if account.state == "closed":
            raise Conflict(
                "The account is closed.", code="account_closed", hint="permit-mcp accounts add opens it again."
            )
        return account

    async def _change(
        self,
        transaction: Transaction,
        actor: Actor,
        account: Account,
        event: str,
        *,
        hashed: str | None = None,
        state: State | None = None,
    ) -> None:
        """Change an account, with a new epoch; and remember it."""
        values: dict[str, Any] = {"epoch": _new_epoch()}
        if hashed is not None:
            values |= {"hashed_password": hashed, "password_changed_at": self._clock()}
        if state is not None:
            values["state"] = state
        here = (
            local_accounts.c.environment == account.environment,
            local_accounts.c.login == account.login,
        )
        await transaction.execute(update(local_accounts).where(*here).values(values))
        await self._audit.append(transaction, _event(event, actor, account.login, account.user))

    async def _insert(self, transaction: Transaction, actor: Actor, accounts: Sequence[NewAccount]) -> None:
        now = self._clock()
        rows = [
            {
                "environment": actor.environment,
                "login": each.login,
                "user_key": each.user,
                "hashed_password": each.hashed_password,
                "state": "open",
                "epoch": _new_epoch(),
                "created_at": now,
                "password_changed_at": now,
            }
            for each in accounts
        ]
        try:
            await transaction.execute(insert(local_accounts), rows)
        except ConstraintViolated as error:
            if error.kind == "foreign_key":
                raise NotFound(
                    "There is no such user.", code="no_such_user", hint="permit-mcp users lists those of the directory."
                ) from error
            raise _exists("The user has an account already, or the name is taken.") from error


async def _chosen(password: str) -> str:
    if len(password) < MIN_PASSWORD:
        raise InvalidInput(
            f"A password has {MIN_PASSWORD} characters or more.", code="invalid_password", hint="Choose another."
        )
    return await hash_password(password)


def _account(row: Row[Any]) -> Account:
    return Account(
        row.environment,
        row.login,
        row.user_key,
        row.state,
        row.epoch,
        row.hashed_password,
        row.created_at,
        row.password_changed_at,
    )


def _event(event: str, actor: Actor, login: str, user: str) -> AuditEvent:
    return AuditEvent(event, actor, {"login": login, "user": user})


def _exists(message: str) -> Conflict:
    return Conflict(message, code="account_exists", hint="permit-mcp accounts list shows them all.")


def _new_epoch() -> str:
    return secrets.token_hex(16)

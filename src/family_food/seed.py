"""What a new database starts with: the facts of the demo's family, and accounts to log in with."""

from __future__ import annotations

import asyncio
import hashlib

from pydantic import Field, SecretStr

from family_food.settings import ChatSettings
from permit_core.accounts.accounts import Accounts, NewAccount
from permit_core.accounts.passwords import hash_password
from permit_core.bootstrap import Core
from permit_core.identity import system_actor
from permit_core.policy.facts_file import load_facts
from permit_core.policy.loader import read_shape
from permit_core.policy.marked_yaml import read_marked
from permit_core.policy.schema import Part, Text
from permit_core.stores.facts import FactStore

ACCOUNTS = "accounts"
"""Under this name it is noted that a database was given its accounts."""


class AccountEntry(Part):
    """A log-in. ``user`` is the directory key of whom it belongs to."""

    username: Text
    password: SecretStr = Field(min_length=1)
    user: Text


class AccountsFile(Part):
    """The closed shape of an accounts file."""

    accounts: tuple[AccountEntry, ...] = ()


async def seed(core: Core, settings: ChatSettings) -> bool:
    """Give a new database the facts and accounts of the settings' files; harmless on any other database.

    What is missing is written in one transaction: a process that dies meanwhile leaves a database that is still new.
    Facts and accounts are given once each (another program of the library may have brought the facts), so that nobody
    gets back what was taken away since.

    Returns:
        Whether this call did it.

    Raises:
        PolicyFileError: one of the files is wrong.
        UserFacing: the directory refuses an entry.
        StoreError: the database is unreachable or busy.
    """
    facts = load_facts(settings.facts_file, core.model)
    entries = load_accounts(settings.accounts_file, {user.key for user in facts.users})
    accounts = Accounts(core.database, core.audit, core.clock)
    if await _has_accounts(core, accounts):
        return await core.directory.load(core.system, facts)  # which says so when the file is not the one of that time
    # Hashing takes a good part of a second: before the transaction, so that nobody waits for it.
    hashes = await asyncio.gather(*(hash_password(entry.password.get_secret_value()) for entry in entries))
    async with core.database.transaction(core.environment) as transaction:
        loaded = await core.directory.load(core.system, facts, transaction)
        if await FactStore().seed_digest(core.environment, transaction, ACCOUNTS) is not None:
            return loaded
        new = [
            NewAccount(entry.username, entry.user, hashed)
            for entry, hashed in zip(entries, hashes, strict=True)
            if await core.directory.user(core.environment, entry.user, transaction) is not None
        ]
        actor = system_actor(core.environment, core.settings.tenant)
        names = await accounts.seed(transaction, actor, new)
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()
        await FactStore().mark_seeded(core.environment, transaction, ACCOUNTS, digest, core.clock())
    return True


async def _has_accounts(core: Core, accounts: Accounts) -> bool:
    """Whether accounts were given before; a database from before that was noted has some."""
    async with core.database.reading() as reading:
        if await FactStore().seed_digest(core.environment, reading, ACCOUNTS) is not None:
            return True
    return bool(await accounts.list_all(core.environment))


async def seed_if_empty(core: Core, settings: ChatSettings) -> bool:
    """:func:`seed`, unless somebody has put anything into the directory; for a server that is started by itself."""
    async with core.database.reading() as reading:
        facts = await FactStore().snapshot(core.environment, reading)
    return not facts.tenants and not facts.users and await seed(core, settings)


def load_accounts(path: str, users: set[str]) -> tuple[AccountEntry, ...]:
    """Read an accounts file.

    Args:
        path: the file.
        users: the keys of the users that accounts may belong to.

    Raises:
        PolicyFileError: the first thing in the file that is wrong.
    """
    document = read_marked(path)
    entries = read_shape(document, AccountsFile).accounts
    for place, entry in enumerate(entries):
        if entry.user not in users:
            raise document.error(("accounts", place, "user"), "expected the key of a user of the facts file")
        before = entries[:place]
        if any(entry.username == other.username or entry.user == other.user for other in before):
            raise document.error(("accounts", place), "expected one account for each user, each with its own name")
    return entries

"""A database with as many people as a benchmark needs: the demo's restaurants, and accounts without end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from family_food.login.accounts import PRODUCT
from family_food.ordering.food import open_food
from family_food.seed import seed
from family_food.settings import CHECKOUT, ChatSettings
from permit_core.accounts.accounts import Accounts, NewAccount
from permit_core.accounts.passwords import hash_password
from permit_core.accounts.tokens import Tokens
from permit_core.identity import system_actor

PEOPLE = 25
"""Eight sessions each are two hundred."""
SESSIONS_EACH = 8
PASSWORD = "benchmark_password"  # noqa: S105 - of people who exist for a minute
KEY = "a-key-for-one-run-of-the-measurements-0001"


@dataclass(frozen=True)
class Household:
    """Files of one run, in a folder that goes away with it."""

    folder: Path
    epochs: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a server over this database."""
        return {
            "ENV_FILE": "",
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'household.db'}",
            "FACTS_FILE": str(self.folder / "facts.yaml"),
            "ACCOUNTS_FILE": str(self.folder / "accounts.yaml"),
            "SECRET_KEY": KEY,
            "LOGIN_ATTEMPTS_PER_MINUTE": "1000",
            "LOG_LEVEL": "WARNING",
        }

    def token(self, person: int) -> str:
        """A good token without the cost of a password."""
        return Tokens(KEY, 3600, PRODUCT).issue("default", name_of(person), self.epochs[name_of(person)]).access_token


def name_of(person: int) -> str:
    """The log-in name of a person, counted from 0."""
    return f"person{person}"


async def make_household(folder: Path) -> Household:
    """Write facts and accounts, and the database that holds them."""
    household = Household(folder)
    facts = yaml.safe_load((CHECKOUT / "policies/family_food.facts.yaml").read_text(encoding="utf-8"))
    for person in range(PEOPLE):
        _add_child(facts, f"p{person}")
    (folder / "facts.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    (folder / "accounts.yaml").write_text("accounts: []\n", encoding="utf-8")
    named = {name.lower(): value for name, value in household.environment.items() if name != "ENV_FILE"}
    settings = ChatSettings.load(**named)
    food = await open_food(settings)
    try:
        await seed(food.core, settings)
        hashed = await hash_password(PASSWORD)  # once: it is meant to be slow
        new = [NewAccount(name_of(person), f"p{person}", hashed) for person in range(PEOPLE)]
        accounts = Accounts(food.core.database, food.core.audit)
        async with food.core.database.transaction() as transaction:
            await accounts.seed(transaction, system_actor(food.core.environment), new)
        epochs = {account.login: account.epoch for account in await accounts.list_all(food.core.environment)}
    finally:
        await food.close()
    return Household(folder, epochs)


def _add_child(facts: dict[str, Any], key: str) -> None:
    facts["users"].append({"key": key, "first_name": f"Person {key}"})
    facts["role_assignments"].append({"user": key, "role": "child"})
    facts["role_assignments"] += [
        {"user": key, "role": "child-can-view", "resource_instance": f"restaurants:{number}"} for number in (1, 2)
    ]

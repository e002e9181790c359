"""What a new database starts with."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from family_food import seed as seeding
from family_food.ordering.food import Food, open_food
from family_food.seed import load_accounts, seed, seed_if_empty
from family_food.settings import ChatSettings
from permit_core.access import ResourceRef
from permit_core.accounts.accounts import Accounts
from permit_core.accounts.passwords import verify_password
from permit_core.bootstrap import Core
from permit_core.entries import RoleAssignment, User
from permit_core.errors import PolicyFileError
from permit_core.stores.tables import local_accounts
from tests.support.core import TENANT, family_settings
from tests.support.family import ROLE


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Food]:
    """Tables, and nothing in them."""
    food = await open_food(family_settings(tmp_path))
    try:
        yield food
    finally:
        await food.close()


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bcrypt does has its own tests and takes its time."""

    async def quick(password: str) -> str:
        return hashlib.sha256(password.encode()).hexdigest()

    monkeypatch.setattr(seeding, "hash_password", quick)


def chat_settings(core: Core) -> ChatSettings:
    """The settings that a core was opened with, known to be the chat's."""
    assert isinstance(core.settings, ChatSettings)
    return core.settings


async def everything(food: Food) -> dict[str, list[Any]]:
    """Every row of the tables that seeding fills."""
    names = ["tenants", "users", "resource_instances", "role_assignments", "relationship_tuples", "local_accounts"]
    async with food.core.database.reading() as reading:
        return {
            name: sorted(map(str, await reading.execute(text(f"SELECT * FROM {name}"))))  # a constant
            for name in names
        }


async def test_a_new_database_gets_the_family_and_accounts_that_open(empty: Food) -> None:
    settings = chat_settings(empty.core)
    assert await seed(empty.core, settings)
    async with empty.core.database.reading() as reading:
        rows = (await reading.execute(select(local_accounts))).all()
    hashes = {row.login: (row.user_key, row.hashed_password) for row in rows}
    entries = load_accounts(settings.accounts_file, {"1", "2", "3", "4"})
    assert len(entries) == len(hashes) == 4
    for entry in entries[:1]:
        user, hashed = hashes[entry.username]
        assert user == entry.user
        assert await verify_password(entry.password.get_secret_value(), hashed)
        assert entry.password.get_secret_value() not in str(hashes)
    audited = str([record.body for record in await empty.core.audit.records("default")])
    assert not any(hashed in audited for _, hashed in hashes.values())


@pytest.mark.usefixtures("quick_hashes")
async def test_seeding_again_changes_nothing_and_brings_nothing_back(empty: Food) -> None:
    core = empty.core
    assert await seed(core, chat_settings(core))
    await core.directory.unassign(core.system, RoleAssignment("3", ROLE, TENANT, ResourceRef("restaurants", "1")))
    async with core.database.transaction() as transaction:
        await transaction.execute(local_accounts.delete().where(local_accounts.c.user_key == "4"))
    before = await everything(empty)
    assert not await seed(core, chat_settings(core))
    assert not await seed_if_empty(core, chat_settings(core))
    assert await everything(empty) == before


@pytest.mark.usefixtures("quick_hashes")
async def test_seeding_that_dies_half_way_leaves_nothing_and_can_be_done_again(
    empty: Food, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = await everything(empty)

    async def dies(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Accounts, "seed", dies)
        with pytest.raises(asyncio.CancelledError):
            await seed(empty.core, chat_settings(empty.core))
    assert await everything(empty) == nothing
    assert await seed(empty.core, chat_settings(empty.core))
    assert len((await everything(empty))["local_accounts"]) == 4


@pytest.mark.usefixtures("quick_hashes")
async def test_two_that_seed_at_once_seed_once(empty: Food) -> None:
    settings = chat_settings(empty.core)
    other = await open_food(settings)
    try:
        done = await asyncio.gather(seed(empty.core, settings), seed(other.core, settings))
    finally:
        await other.close()
    assert sorted(done) == [False, True]
    assert len((await everything(empty))["local_accounts"]) == 4


@pytest.mark.usefixtures("quick_hashes")
async def test_a_directory_that_somebody_filled_is_not_given_the_demos_family(empty: Food) -> None:
    await empty.core.directory.put_user(empty.core.system, User("alone", "Alone"))
    assert not await seed_if_empty(empty.core, chat_settings(empty.core))
    assert len((await everything(empty))["users"]) == 1


@pytest.mark.parametrize(
    ("yaml", "line", "said"),
    [
        ("accounts:\n  - {username: a, password: p, user: '9'}\n", 2, "a user of the facts file"),
        (
            "accounts:\n  - {username: a, password: p, user: '1'}\n  - {username: a, password: p, user: '2'}\n",
            3,
            "one account",
        ),
        ("accounts:\n  - {username: a, user: '1'}\n", 2, "password"),
        ("accounts:\n  - {username: a, password: p, user: '1', admin: true}\n", 2, "admin"),
    ],
)
def test_a_wrong_accounts_file_is_refused_with_the_place_and_without_passwords(
    tmp_path: Path, yaml: str, line: int, said: str
) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(yaml, encoding="utf-8")
    with pytest.raises(PolicyFileError) as caught:
        load_accounts(str(path), {"1", "2"})
    assert caught.value.line == line
    assert said in str(caught.value)


def test_the_settings_name_files_that_are_there() -> None:
    settings: ChatSettings = family_settings(Path())
    assert Path(settings.accounts_file).exists()

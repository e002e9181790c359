"""A core over the policy that is shipped, for tests of everything above it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.engine import make_url

from family_food.settings import ChatSettings
from permit_core.bootstrap import Core, open_core
from permit_core.clock import Clock, utc_now
from permit_core.database import Database
from permit_core.identity import system_actor
from permit_core.policy.facts_file import load_facts
from permit_core.stores.migrate import migrate
from tests.support.databases import PostgresServer

POLICIES = Path(__file__).resolve().parents[2] / "policies"
ENVIRONMENT = "default"
TENANT = "default"
SYSTEM = system_actor(ENVIRONMENT)


def family_settings(folder: Path, database_url: str = "", **more: Any) -> ChatSettings:
    """ChatSettings of the shipped family, whatever the environment says; SQLite in ``folder`` when no URL is given."""
    return ChatSettings(
        **{
            "database_url": database_url or f"sqlite+aiosqlite:///{folder / 'family.db'}",
            "policy_file": str(POLICIES / "family_food.yaml"),
            "facts_file": str(POLICIES / "family_food.facts.yaml"),
            "accounts_file": str(POLICIES / "family_food.accounts.yaml"),
            "tenant": TENANT,
            "resource_key": "restaurants",
            "access_elements_config_id": "restaurant-requests",
            "operation_elements_config_id": "dish-requests",
            **more,
        }
    )


async def make_core(
    folder: Path, *, database_url: str = "", clock: Clock = utc_now, facts: bool = True, **settings: Any
) -> Core:
    """Open a core, with the family's facts loaded unless ``facts`` is False. Whoever calls closes it.

    A database of its own in ``folder`` begins as a copy of one that was loaded before: loading takes a while.
    """
    wanted = family_settings(folder, database_url, **settings)
    ours = facts and not settings
    file = folder / "family.db"
    if not database_url and not file.exists():
        file.write_bytes(await _copy(facts=ours))
    core = await open_core(wanted, clock=clock)
    if facts and (database_url or not ours):
        await core.directory.load(core.system, load_facts(core.settings.facts_file))
    return core


def begun(folder: Path, server: PostgresServer | None, *, facts: bool, tables: bool) -> str:
    """The URL of a database in ``folder``, or on a server: with the shipped facts, with tables alone, or empty.

    It is a copy of one that was made before.
    """
    if server is None:
        file = folder / "test.db"
        if facts or tables:
            file.write_bytes(asyncio.run(_copy(facts=facts)))
        return f"sqlite+aiosqlite:///{file}"
    if not facts and not tables:
        return server.new_database()
    if (server.folder, facts) not in _templates:
        url = server.new_database()
        asyncio.run(_made(url, facts=facts))
        _templates[server.folder, facts] = str(make_url(url).database)
    return server.new_database(like=_templates[server.folder, facts])


_templates: dict[tuple[Path, bool], str] = {}
_copies: dict[bool, bytes] = {}


async def _copy(*, facts: bool) -> bytes:
    """The bytes of an SQLite database, made once."""
    if facts not in _copies:
        with TemporaryDirectory() as folder:
            await _made(f"sqlite+aiosqlite:///{folder}/family.db", facts=facts)
            _copies[facts] = Path(folder, "family.db").read_bytes()
    return _copies[facts]


async def _made(url: str, *, facts: bool) -> None:
    if facts:
        with TemporaryDirectory() as folder:
            await (await make_core(Path(folder), database_url=url)).close()
        return
    database = Database.open(url)
    try:
        await migrate(database)
    finally:
        await database.close()

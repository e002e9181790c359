"""A core over the policy that is shipped, for tests of everything above it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from family_food.settings import ChatSettings
from permit_core.bootstrap import Core, open_core
from permit_core.clock import Clock, utc_now
from permit_core.identity import system_actor
from permit_core.policy.facts_file import load_facts

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
    if facts and not database_url and not settings:
        file = folder / "family.db"
        if not file.exists():
            file.write_bytes(await _loaded())
        return await open_core(wanted, clock=clock)
    core = await open_core(wanted, clock=clock)
    if facts:
        await core.directory.load(core.system, load_facts(core.settings.facts_file))
    return core


_copies: list[bytes] = []


async def _loaded() -> bytes:
    """The bytes of an SQLite database with the shipped facts, made once."""
    if not _copies:
        with TemporaryDirectory() as folder:
            core = await make_core(Path(folder), database_url=f"sqlite+aiosqlite:///{folder}/family.db")
            await core.close()
            _copies.append(Path(folder, "family.db").read_bytes())
    return _copies[0]

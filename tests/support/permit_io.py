"""Permit.io for tests: ``permit-mcp local`` with the shipped family in it, as it was seeded, for each test anew."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from family_food.settings import ChatSettings
from permit_core.bootstrap import Core, open_core, seed_permit_io
from permit_core.clock import Clock, utc_now
from permit_core.policy.facts_file import load_facts
from tests.support.core import family_settings
from tests.support.permit_local import LocalServer, exported, running_local

_STEP = 1_000_000


@dataclass
class SeededPermit:
    """A running server whose one environment holds the family."""

    server: LocalServer
    folder: Path
    settings: dict[str, Any]
    _resets: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def database(self) -> Path:
        return self.folder / "permit_local.db"

    def keep(self) -> None:
        """What is there now is what :meth:`reset` goes back to."""
        with closing(sqlite3.connect(self.database)) as live, closing(sqlite3.connect(self._kept)) as kept:
            live.backup(kept)
        with closing(sqlite3.connect(self._ours)) as live, closing(sqlite3.connect(self._ours_kept)) as kept:
            live.backup(kept)

    def reset(self) -> None:
        """As it was when it was kept. The versions go on rising: the server keeps what it read by them."""
        with closing(sqlite3.connect(self._kept)) as kept, closing(sqlite3.connect(self.database)) as live:
            kept.backup(live)
            live.execute(
                "UPDATE environments SET facts_version = ?, facts_stamp = hex(randomblob(16))",
                (next(self._resets) * _STEP,),
            )
            live.commit()

    async def core(self, folder: Path, *, clock: Clock = utc_now, **more: Any) -> Core:
        """A core on it, with a database of our own in ``folder`` that knows the family's names. To be closed."""
        file = folder / "family.db"
        if not file.exists():
            file.write_bytes(self._ours_kept.read_bytes())
        return await open_core(self.ours(folder, **more), clock=clock)

    def ours(self, folder: Path, **more: Any) -> ChatSettings:
        """ChatSettings of the family with Permit.io behind it."""
        return family_settings(folder, **{**self.settings, **more})

    @property
    def environment(self) -> dict[str, str]:
        """The same as environment variables."""
        return {name.upper(): value for name, value in self.settings.items()}

    @property
    def _kept(self) -> Path:
        return self.folder / "kept.db"

    @property
    def _ours(self) -> Path:
        return self.folder / "family.db"

    @property
    def _ours_kept(self) -> Path:
        return self.folder / "ours.db"


@contextmanager
def seeded_permit(folder: Path) -> Iterator[SeededPermit]:
    """Start the server and seed it."""
    with running_local(folder) as server:
        names = ("PERMIT_API_KEY", "PERMIT_API_URL", "PERMIT_PDP_URL", "PROJECT_ID", "ENV_ID")
        settings = {name.lower(): exported(server.said, name) for name in names}
        permit = SeededPermit(server, folder, settings)
        with ThreadPoolExecutor(1) as elsewhere:  # a test that asks for it may have a loop running here
            elsewhere.submit(lambda: asyncio.run(_seed(permit))).result()
        permit.keep()
        yield permit


async def _seed(permit: SeededPermit) -> None:
    settings = permit.ours(permit.folder)
    await seed_permit_io(settings)
    core = await open_core(settings)
    await core.directory.load(core.system, load_facts(settings.facts_file))
    await core.close()

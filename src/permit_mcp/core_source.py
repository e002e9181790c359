"""Where the tools get the core from: the one they were given, or one opened on first use."""

from __future__ import annotations

import asyncio

from permit_core.audit.hooks import RecordHook
from permit_core.bootstrap import Core, open_core
from permit_core.settings import Settings


class CoreSource:
    """A core that is there already, or is opened when the first call needs it.

    Args:
        core: used as it is, and left open by :meth:`close`: whoever made it closes it.
        settings: from which a core of our own is opened; read from the environment when None.
        on_record: is given each audit record that is written from now on.
    """

    def __init__(
        self, core: Core | None = None, settings: Settings | None = None, on_record: RecordHook | None = None
    ) -> None:
        self._given = core
        self._on_record = on_record
        if core is not None and on_record is not None:
            core.audit.show_to(on_record)
        self._settings = settings
        self._own: Core | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> Core:
        """The core.

        Raises:
            ConfigurationError: a setting or the policy file is wrong.
            StoreError: the database cannot be reached.
        """
        if self._given is not None:
            return self._given
        async with self._opening:
            if self._own is None:
                self._own = await open_filled_core(self._settings or Settings.load())
                if self._on_record is not None:
                    self._own.audit.show_to(self._on_record)
            return self._own

    async def close(self) -> None:
        """Close a core of our own; the next :meth:`get` opens another."""
        async with self._opening:
            own, self._own = self._own, None
            if own is not None:
                await own.close()


async def open_filled_core(settings: Settings) -> Core:
    """Open a core; a database with nothing in it gets the facts of the file that the settings name.

    Raises:
        ConfigurationError: as of :func:`~permit_core.bootstrap.open_core`; or the facts file is wrong.
        StoreError: the database cannot be reached.
    """
    core = await open_core(settings)
    try:
        if settings.facts_file and core.permit_io is None:
            from permit_core.policy.facts_file import load_facts  # only a new database needs it

            await core.directory.load(core.system, load_facts(settings.facts_file, core.model))
    except BaseException:
        await core.close()
        raise
    return core

"""Where the tools get the core from: the one they were given, or one opened on first use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING

import anyio

from permit_core.policy.loader import load_policy
from permit_core.settings import Settings

if TYPE_CHECKING:
    from permit_core.audit.hooks import RecordHook
    from permit_core.bootstrap import Core
    from permit_core.policy.model import PolicyModel


CLOSE_SECONDS = 10.0
"""How long the end of a server waits for its core to be closed."""


class CoreSource:
    """A core that is there already, or is opened when the first call needs it.

    Args:
        core: used as it is, and left open by :meth:`close`: whoever made it closes it.
        settings: from which a core of our own is opened; read from the environment when None.
        on_record: is given each audit record that is written from now on.

    Raises:
        ConfigurationError: a setting or the policy file is wrong.
    """

    def __init__(
        self, core: Core | None = None, settings: Settings | None = None, on_record: RecordHook | None = None
    ) -> None:
        self._given = core
        self._on_record = on_record
        if core is not None and on_record is not None:
            core.audit.show_to(on_record)
        self._settings = core.settings if core is not None else settings or Settings.load()
        # Read here, so that a fault is said to whoever wrote it, and not when the first call comes.
        self._read = core.model if core is not None else load_policy(self._settings.policy_path)
        self._own: Core | None = None
        self._fits: Callable[[PolicyModel], object] | None = None
        self._fitted: Core | None = None
        self._opening = asyncio.Lock()
        self._servers = 0
        self._kept = False

    def must_fit(self, check: Callable[[PolicyModel], object]) -> None:
        """Take up no policy, now or later, for which ``check`` raises a ConfigurationError."""
        self._fits = check

    @property
    def model(self) -> PolicyModel:
        """The policy: that of the core, or the one a core is about to be opened over."""
        return self._own.model if self._own is not None else self._read

    async def start(self) -> None:
        """Find out what cannot work without opening a database of our own: a client waits for the start.

        A decision point or a directory elsewhere, or a hook that is named, is asked for now: only opening tells whether
        the settings fit it.

        Raises:
            ConfigurationError: the facts file is wrong; or as of :meth:`get`.
            StoreError: the database cannot be reached, where it is opened now.
        """
        if self._given is not None or self._own is not None:
            return
        settings = self._settings
        if settings.pdp != "embedded" or settings.permit_api_key.get_secret_value() or settings.audit_hook:
            await self.get()
        elif settings.facts_file:
            from permit_core.policy.facts_file import load_facts  # only where there are facts to begin with

            load_facts(settings.facts_file, self._read)

    async def get(self) -> Core:
        """The core.

        Raises:
            ConfigurationError: a setting or the policy file is wrong.
            StoreError: the database cannot be reached.
        """
        if self._given is not None:
            self._fit(self._given)
            return self._given
        async with self._opening:
            if self._own is None:
                # In a context of its own: what a core starts outlives the call that happens to open it.
                await asyncio.create_task(self._open(), context=Context())
            if self._own is None:
                raise AssertionError("opened, or raised")
            return self._own

    async def _open(self) -> None:
        self._own = await open_filled_core(self._settings)
        self._fit(self._own)
        if self._on_record is not None:
            self._own.audit.show_to(self._on_record)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """While a server runs; when the last one has ended, a core of our own is closed, and its log signed to the end.

        Not one that :meth:`keep` said is somebody's to close.
        """
        self._servers += 1
        try:
            yield
        finally:
            self._servers -= 1
            if self._servers == 0 and not self._kept:
                with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                    await self.close()

    def keep(self) -> None:
        """Leave a core of our own open until :meth:`close`: somebody else uses it as well."""
        self._kept = True

    def _fit(self, core: Core) -> None:
        if self._fits is not None and self._fitted is not core:
            core.policies.must_fit(self._fits)
            self._fitted = core

    async def close(self) -> None:
        """Close a core of our own; the next :meth:`get` opens another."""
        self._kept = False
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
    # Not at the top: it brings the database's library, which is slow to import, and a server over stdio answers its
    # client's first request without it.
    from permit_core.bootstrap import open_core

    core = await open_core(settings)
    try:
        if settings.facts_file and core.permit_io is None:
            from permit_core.policy.facts_file import load_facts  # only a new database needs it

            await core.directory.load(core.system, load_facts(settings.facts_file, core.model))
    except BaseException:
        await core.close()
        raise
    return core

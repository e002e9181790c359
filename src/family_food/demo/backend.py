"""A chat backend for one demo: its own process, port, database and secret, and nothing left of it afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
from pydantic import SecretStr

from family_food.demo.processes import ProcessTree
from family_food.settings import CHECKOUT, ChatSettings
from permit_core.errors import PermitError

START_SECONDS = 90.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1
_ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
# How the server says in one sentence why it does not start, and how a traceback ends.
_WHY = re.compile(r"(?:\bcannot start: |^(?:[\w.]+(?:Error|Exception): )+)(?P<why>.+)")


class DemoBackendError(PermitError):
    """The demo's backend did not start. The text says why, as far as its own log tells."""


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """Somebody who can log in to the demo; ``role`` is the tenant role, ``user`` the directory key."""

    username: str
    password: str
    user: str
    role: str


def demo_accounts(settings: ChatSettings | None = None) -> list[DemoAccount]:
    """Everybody who can log in to a new database, from the files it is filled from.

    Raises:
        ConfigurationError: a file or a setting is wrong.
    """
    from family_food.seed import load_accounts
    from permit_core.policy.facts_file import load_facts

    settings = settings or ChatSettings.load()
    facts = load_facts(settings.facts_file)
    roles = {entry.user: entry.role for entry in facts.assignments if entry.resource is None}
    return [
        DemoAccount(account.username, account.password.get_secret_value(), account.user, roles.get(account.user, ""))
        for account in load_accounts(settings.accounts_file, {user.key for user in facts.users})
    ]


class DemoBackend:
    """Starts ``server.py`` when entered and stops it, with every process it started, when left.

    Args:
        database_url: an empty database to use; None makes an SQLite file that lives as long as the demo.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        settings: what the server runs with.
    """

    def __init__(self, database_url: str | None = None) -> None:
        self._given_database = database_url
        self._process: Process | None = None
        self._folder = Path()
        self.url = ""
        self.settings: ChatSettings

    async def __aenter__(self) -> Self:
        """Start.

        Raises:
            DemoBackendError: it did not start, or not in time.
            ConfigurationError: a setting cannot be used.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="family-food-"))
        database = self._given_database or f"sqlite+aiosqlite:///{self._folder / 'family_food.db'}"
        try:
            self.settings = ChatSettings.load(database_url=SecretStr(database))
            self._end_with_the_terminal()
            async with asyncio.timeout(START_SECONDS):
                await self._start(database)
        except TimeoutError:
            await self._stopped()
            raise DemoBackendError(f"The demo's backend did not start in {START_SECONDS:.0f} seconds.") from None
        except BaseException:
            await self._stopped()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stopped()

    async def _start(self, database: str) -> None:
        environment = {
            **os.environ,
            # Both, lest a setting of the person's own file name a database that matters.
            "DATABASE_URL": database,
            "DB_NAME": str(self._folder / "family_food.db"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "PYTHONUNBUFFERED": "1",
        }
        with (self._folder / "backend.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "family_food.demo.server",
                str(self._folder),
                cwd=CHECKOUT,
                env=environment,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in this terminal is for the client alone
            )
        assert self._process.stdout is not None  # noqa: S101 - said so above
        line = await self._process.stdout.readline()
        if not line:
            await self._failed()
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}"
        await self._ready()

    async def _ready(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=START_SECONDS) as client:
            while True:
                if self._process is None or self._process.returncode is not None:
                    await self._failed()
                with suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/readyz")).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(_POLL_SECONDS)

    async def _failed(self) -> None:
        """Raise what the log says last."""
        if self._process is not None:
            await self._process.wait()
        log = (self._folder / "backend.log").read_text("utf-8", "replace") if self._folder.exists() else ""
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        reasons = [match["why"] for match in map(_WHY.search, lines) if match]
        raise DemoBackendError(f"The demo's backend did not start: {(reasons or lines or ['it said nothing'])[-1]}")

    def _end_with_the_terminal(self) -> None:
        """A closed window or a kill ends the demo as Ctrl-C does, so that it can clean up."""
        task = asyncio.current_task()
        if task is not None:
            with suppress(NotImplementedError):  # Windows
                for number in _ENDS:
                    asyncio.get_running_loop().add_signal_handler(number, task.cancel)

    async def _stopped(self) -> None:
        """Stop, even when this is cancelled meanwhile."""
        stopping = asyncio.create_task(self._stop())
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            await asyncio.wait([stopping])
            raise
        finally:
            with suppress(NotImplementedError):
                for number in _ENDS:
                    asyncio.get_running_loop().remove_signal_handler(number)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            tree = ProcessTree.below(process.pid)
            if process.stdin is not None:
                process.stdin.close()  # the polite way: it ends with its input
            for stronger in (process.terminate, process.kill):
                if await _gone(process, _STOP_SECONDS):
                    break
                with suppress(ProcessLookupError):
                    stronger()
            await process.wait()
            tree.kill_survivors()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


async def _gone(process: Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        return False
    return True

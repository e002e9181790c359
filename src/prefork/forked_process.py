"""A process that is not our child, held by its pidfd: when it ends, and how it is made to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""How long a process may take to end by itself, and again to end by SIGTERM."""


class ForkedProcess:
    """A process that the fork server forked.

    A pidfd, unlike a number, never comes to mean another process; it works when the parent is dead, too. It is closed
    when the process ends.

    Args:
        pid: its number, for people.
        pidfd: taken over.
    """

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._has_ended)

    async def ended(self) -> None:
        """Wait until the process has ended."""
        await self._ended.wait()

    async def end(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """See to it that the process ends; it was told to, by the end of its input, before.

        Args:
            grace_seconds: after so long it is terminated, and after as long again killed.
        """
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                logger.warning("process %d did not end by itself: %s", self.pid, number.name)
                self._signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self.ended()
                    return
        logger.error("process %d cannot be killed", self.pid)

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        # Its parent reaps it. Should that be dead, and we be who inherits orphans (PID 1 of a container), we do.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        os.close(self._pidfd)
        self._ended.set()

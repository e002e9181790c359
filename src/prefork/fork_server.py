"""The fork server: forked tool servers for sessions, from a parent that is kept alive."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from mcp import StdioServerParameters

from prefork.forked_process import ForkedProcess
from prefork.log_pipe import LogPipe
from prefork.parent_process import ForkUnavailable, ParentProcess, Spawned
from prefork.socket_streams import socket_streams
from prefork.tool_start import ToolStart

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

logger = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
"""How long a session waits for a parent that is warming up, before it gets a process of its own program."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 60.0


def can_fork() -> bool:
    """Whether this system has what the fork server needs: fork, packets with descriptors, pidfds (Linux 5.3)."""
    wanted = (os, "fork"), (os, "pidfd_open"), (os, "P_PIDFD"), (signal, "pidfd_send_signal")
    if not all(hasattr(module, name) for module, name in wanted):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET):
            end.close()
    except OSError:
        return False
    return True


class ForkServer:
    """Starts sessions' tool servers by forking them from one warm parent, itself a process of its own.

    Use it as an async context manager; entering does not wait for the parent to be warm. Leaving ends the parent;
    sessions are to be ended before.

    Args:
        parent: how the parent is started; see :func:`prefork.parent.serve_forks`.
        plain: how a user's tool server is started as a program of its own, for when there is no parent.
    """

    def __init__(self, parent: StdioServerParameters, plain: Callable[[str], ToolStart]) -> None:
        self._parent = parent
        self._plain = plain
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._next: asyncio.Future[ParentProcess] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(), name="fork server")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeper.cancel()
        await asyncio.wait([self._keeper, *self._ending])

    def start(self, user: str) -> ToolStart:
        """How the tool server of a user, named by directory key, is started."""
        return partial(self._session, user)

    async def spawn(self, user: str, errors: int) -> Spawned:
        """A child for one session; waits for a parent that is warming up.

        Args:
            user: whose session, by directory key.
            errors: the descriptor that becomes the child's standard error; stays the caller's.

        Raises:
            ForkUnavailable: there is no parent, or it cannot fork.
        """
        life = await self.living()
        try:
            return await life.fork(user, errors)
        except ForkUnavailable:
            if not life.is_over:
                raise
        # It ended with our request; another is on its way.
        return await (await self.living()).fork(user, errors)

    async def living(self) -> ParentProcess:
        """The parent that forks children; waits for one that is warming up.

        Raises:
            ForkUnavailable: there is none, or it takes too long.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await asyncio.shield(self._next)
        except TimeoutError:
            raise ForkUnavailable("the fork server is not ready yet") from None

    @asynccontextmanager
    async def _session(self, user: str) -> AsyncIterator[TransportStreams]:
        with LogPipe("tool server") as log:
            try:
                spawned = await self.spawn(user, log.file.fileno())
            except ForkUnavailable as error:
                logger.warning("a tool server is spawned, not forked: %s", error)
                start = self._plain(user)()
            else:
                start = self._forked(spawned)
            log.release()
            async with start as streams:
                yield streams

    @asynccontextmanager
    async def _forked(self, spawned: Spawned) -> AsyncIterator[TransportStreams]:
        try:
            async with socket_streams(spawned.connected) as streams:
                yield streams
        finally:
            await asyncio.shield(self._end(spawned.process))

    def _end(self, process: ForkedProcess) -> asyncio.Task[None]:
        """End a process in a task that goes on when whoever waits for it is cancelled."""
        task = asyncio.create_task(process.end(), name=f"end of process {process.pid}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _keep(self) -> None:
        """Run a parent, and another when it ends."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            began = loop.time()
            try:
                async with ParentProcess(self._parent, self._forget) as life:
                    await life.warm()
                    if not life.is_over:
                        self._next.set_result(life)
                    await life.over()
                    logger.warning("the fork server ended; another is started")
            except (ForkUnavailable, OSError) as error:
                logger.error("the fork server did not start: %s", error)  # noqa: TRY400 - it has said why itself
                self._fail(str(error))
            pause = _FIRST_PAUSE if loop.time() - began > _LONGEST_PAUSE else min(pause * 4, _LONGEST_PAUSE)
            await asyncio.sleep(pause)
            self._forget()

    def _forget(self) -> None:
        """Have everybody wait for the next parent."""
        if self._next.done():
            self._next = asyncio.get_running_loop().create_future()

    def _fail(self, why: str) -> None:
        if not self._next.done():
            self._next.set_exception(ForkUnavailable(why))
            self._next.exception()  # where nobody waits, nobody needs to know

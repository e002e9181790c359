"""One life of the fork server, as the chat server sees it: started, warm, asked for children, over."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from mcp import StdioServerParameters
from mcp.client.stdio import get_default_environment

from permit_core.errors import PermitError
from prefork import wire
from prefork.forked_process import ForkedProcess
from prefork.log_pipe import LogPipe

logger = logging.getLogger(__name__)

WARM_SECONDS = 60.0
"""A parent imports and warms up for two seconds or three; on a machine that is busy, longer."""
_FORK_SECONDS = 10.0
_MOST_AT_ONCE = 32  # requests that were not answered: so many fit into the control socket for sure
_END_SECONDS = 7.0
"""The parent itself gives its children three times two seconds."""


class ForkUnavailable(PermitError):
    """No child can be forked now. The text is for the log."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A child for one session.

    Attributes:
        process: the process.
        connected: our end of the socket that it serves.
    """

    process: ForkedProcess
    connected: socket.socket


class ParentProcess:
    """Runs one parent process; use it as an async context manager.

    Args:
        parameters: how the parent is started. Its standard input will be the control socket.
        on_over: called at the moment from which it can fork no more.

    Raises:
        OSError: on entering: it cannot be started.
    """

    def __init__(self, parameters: StdioServerParameters, on_over: Callable[[], None] = lambda: None) -> None:
        self._parameters = parameters
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[ForkedProcess]] = {}
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._over = asyncio.Event()
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._stack = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                log = self._stack.enter_context(LogPipe("fork server"))
                self._process = await asyncio.create_subprocess_exec(
                    self._parameters.command,
                    *self._parameters.args,
                    env=get_default_environment() | (self._parameters.env or {}),
                    cwd=self._parameters.cwd,
                    stdin=theirs.fileno(),
                    stdout=log.file,
                    stderr=log.file,
                    start_new_session=True,
                )
                log.release()
        except BaseException:
            self._control.close()
            self._stack.close()
            raise
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._receive)
        return self

    async def __aexit__(self, *_: object) -> None:
        warm = self._is_warm()
        self._end("the fork server is closing")
        try:
            if not warm:
                self._signal(signal.SIGTERM)  # it would not look at its control socket before it is
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            logger.warning("the fork server did not end by itself")
        finally:
            self._signal(signal.SIGKILL)
            self._stack.close()
        await self._process.wait()

    def _is_warm(self) -> bool:
        return self._ready.done() and self._ready.exception() is None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """The parent's process."""
        return self._process.pid

    async def warm(self) -> None:
        """Wait until the parent can fork.

        Raises:
            ForkUnavailable: it ended, or took too long.
        """
        try:
            async with asyncio.timeout(WARM_SECONDS):
                await asyncio.shield(self._ready)
        except TimeoutError:
            raise ForkUnavailable("the fork server did not get ready") from None

    @property
    def is_over(self) -> bool:
        """Whether the parent can fork no more."""
        return self._over.is_set()

    async def over(self) -> None:
        """Wait until the parent can fork no more."""
        await self._over.wait()

    async def fork(self, user: str, errors: int) -> Spawned:
        """A new child for a session.

        Args:
            user: whose, by directory key.
            errors: the descriptor that becomes its standard error; stays the caller's.

        Raises:
            ForkUnavailable: the parent ended, does not answer, or cannot fork.
        """
        async with self._turns:
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    return Spawned(await self._forked(user, theirs, errors), ours)
            except BaseException:
                ours.close()  # a child that may yet come finds that nobody is there
                raise

    async def _forked(self, user: str, theirs: socket.socket, errors: int) -> ForkedProcess:
        number = next(self._numbers)
        answer: asyncio.Future[ForkedProcess] = self._loop.create_future()
        self._waiting[number] = answer
        try:
            self._send(wire.Fork(number, user), [theirs.fileno(), errors])
            theirs.close()  # or its other end would not see the child's end
            async with asyncio.timeout(_FORK_SECONDS):
                return await answer
        except TimeoutError:
            self._end("the fork server does not answer")
            raise ForkUnavailable("the fork server does not answer") from None
        finally:
            del self._waiting[number]

    def _send(self, message: wire.Message, descriptors: list[int]) -> None:
        if self._over.is_set():
            raise ForkUnavailable("the fork server is gone")
        try:
            wire.send(self._control, message, descriptors)
        except BlockingIOError:
            raise ForkUnavailable("the fork server does not keep up") from None
        except OSError as error:
            self._end(f"the fork server cannot be reached: {error}")
            raise ForkUnavailable("the fork server cannot be reached") from error

    def _receive(self) -> None:
        try:
            while True:
                received = wire.receive(self._control)
                if received is None:
                    self._end("the fork server ended")
                    return
                self._take(*received)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._end(f"the fork server cannot be understood: {error}")

    def _take(self, message: wire.Message, descriptors: list[int]) -> None:
        match message:
            case wire.Ready() if not self._ready.done():
                self._ready.set_result(None)
            case wire.Forked(number, pid) if descriptors and (answer := self._awaited(number)):
                answer.set_result(ForkedProcess(pid, os.dup(descriptors[0])))
            case wire.Refused(number, why):
                logger.error("the fork server could not fork: %s", why)
                if answer := self._awaited(number):
                    answer.set_exception(ForkUnavailable(why))
        wire.close(descriptors)

    def _awaited(self, number: int) -> asyncio.Future[ForkedProcess] | None:
        answer = self._waiting.get(number)
        return None if answer is None or answer.done() else answer

    def _end(self, why: str) -> None:
        if self._over.is_set():
            return
        self._over.set()
        self._on_over()
        self._loop.remove_reader(self._control)
        self._control.close()
        waiting: list[asyncio.Future[Any]] = [self._ready, *self._waiting.values()]
        for answer in waiting:
            if not answer.done():
                answer.set_exception(ForkUnavailable(why))
                answer.exception()  # where nobody waits, nobody needs to know

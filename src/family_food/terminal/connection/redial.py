"""Getting a lost connection back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from family_food.terminal.connection.chat_socket import expired
from family_food.terminal.connection.web import Web
from family_food.terminal.problem import ChatProblem, Exit

_RENEW_SECONDS = 60.0  # a token with less than this left would hardly outlive the way back


@dataclass(frozen=True, slots=True)
class Patience:
    """How a lost connection is tried again.

    Attributes:
        first: seconds before the first try; each further wait is twice as long, give or take a quarter.
        most: seconds, the longest wait.
        give_up: seconds after which nobody answers any more.
    """

    first: float = 0.2
    most: float = 10.0
    give_up: float = 300.0


class Redial:
    """Tries until it works, the log-in is over, or patience is.

    Args:
        web: renews the token.
        connect: opens the socket.

    Attributes:
        expires_at: when the token is over, seconds since 1970; None when that is not known.
    """

    def __init__(self, web: Web, connect: Callable[[], Awaitable[None]], patience: Patience) -> None:
        self._web = web
        self._connect = connect
        self._patience = patience
        self._delay = patience.first
        self._lost_since: float | None = None
        self.expires_at: float | None = None
        self.left = asyncio.Event()

    @property
    def lost(self) -> bool:
        """The connection is lost, and the session has not been reached again."""
        return self._lost_since is not None

    def begin(self) -> bool:
        """The connection is lost.

        Returns:
            False when that is known already.
        """
        if self.lost:
            return False
        self._lost_since = asyncio.get_running_loop().time()
        return True

    def reached(self) -> None:
        """The session is reached again."""
        self._lost_since = None

    def works(self) -> None:
        """It does more than break again at once: the next loss is tried quickly."""
        self._delay = self._patience.first

    async def run(self) -> None:
        """Open the socket again. Returns without one when :attr:`left` is set.

        Raises:
            ChatProblem: nobody answered for too long (``UNREACHABLE``), or the server does not let us in.
        """
        self._give_up_in_time()
        while not self.left.is_set():
            await self._pause()
            if self.left.is_set():
                return
            try:
                await self._keep_logged_in()
                await self._connect()
            except ChatProblem as problem:
                if problem.exit_code is not Exit.UNREACHABLE:
                    raise
                self._give_up_in_time()
            else:
                return

    async def _pause(self) -> None:
        wait = self._delay * random.uniform(0.75, 1.25)  # noqa: S311 - so that many clients do not come at once
        self._delay = min(self._delay * 2, self._patience.most)
        try:
            async with asyncio.timeout(wait):
                await self.left.wait()
        except TimeoutError:
            return

    async def _keep_logged_in(self) -> None:
        """Renew a token that is about to end.

        Raises:
            ChatProblem: it is over (``NOT_LOGGED_IN``), or nobody answers (``UNREACHABLE``).
        """
        left = _RENEW_SECONDS if self.expires_at is None else self.expires_at - time.time()
        if left <= 0:
            raise expired(self._web)
        if left < _RENEW_SECONDS:
            self.expires_at = (await self._web.refresh()).expires_at

    def _give_up_in_time(self) -> None:
        waited = asyncio.get_running_loop().time() - (self._lost_since or 0.0)
        if waited >= self._patience.give_up:
            sentence = f"The connection to the server was lost, and nobody answered for {waited / 60:.0f} minutes."
            raise ChatProblem(sentence, Exit.UNREACHABLE)

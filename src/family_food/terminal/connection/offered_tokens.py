"""Tokens that were offered to an open chat, until the server has said whether it takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from family_food.terminal.connection.token_claims import token_end
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import with_hint

Frame = Mapping[str, Any]

_REFUSALS = ("invalid_token", "other_user")
_SAME_SECOND = 1.0


class OfferedTokens:
    """Gives each ``authenticate`` frame its answer. The server answers them in the order they were sent."""

    def __init__(self) -> None:
        self._offered: deque[tuple[str, asyncio.Future[None]]] = deque()

    def offer(self, token: str) -> asyncio.Future[None]:
        """A token is about to be offered.

        Returns:
            Done when the server takes it; its exception is the ``ChatProblem`` that it does not, or cannot say.
        """
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody may not wait for it
        self._offered.append((token, answer))
        return answer

    def take(self, frame: Frame) -> bool:
        """Whether the frame refuses a token that somebody waits for, who is told."""
        kind = frame.get("type")
        if kind == "token_refreshed":
            about = next((one for one in self._offered if _is_about(one[0], frame.get("expires_at"))), None)
            if about is not None:
                self._offered.remove(about)
                if not about[1].done():
                    about[1].set_result(None)
        elif kind == "error" and frame.get("code") in _REFUSALS and frame.get("reply_to") is None and self._offered:
            _, answer = self._offered.popleft()
            if not answer.done():
                answer.set_exception(ChatProblem(with_hint(frame), Exit.NOT_LOGGED_IN))
                return True
        return False

    def give_up(self, sentence: str) -> None:
        """The connection is another one: nobody answers any more."""
        while self._offered:
            _, answer = self._offered.popleft()
            if not answer.done():
                answer.set_exception(ChatProblem(sentence, Exit.UNREACHABLE))


def _is_about(token: str, expires_at: object) -> bool:
    """Whether the news that a token was taken can be about this one."""
    end = token_end(token)
    return end is None or not isinstance(expires_at, int | float) or abs(expires_at - end) <= _SAME_SECOND

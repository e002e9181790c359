"""Questions to the server that it answers by itself: listings and decisions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import with_hint

ANSWER_SECONDS = 15.0

Frame = Mapping[str, Any]


class _Send(Protocol):
    def __call__(self, **frame: object) -> Awaitable[None]: ...


class Replies:
    """Sends frames with an id and gives each its answer.

    Args:
        send: sends a frame.
    """

    def __init__(self, send: _Send) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._asked: dict[str, asyncio.Future[Frame]] = {}

    async def ask(self, **frame: object) -> Frame:
        """Send a frame and wait for its answer.

        Raises:
            ChatProblem: the server refused it, or did not answer in :data:`ANSWER_SECONDS`.
        """
        number = f"ask-{next(self._numbers)}"
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._send(id=number, **frame)
                got = await answer
        except TimeoutError:
            raise ChatProblem("The server did not answer in time. Try again.", Exit.UNREACHABLE) from None
        finally:
            self._asked.pop(number, None)
        if got.get("type") == "error":
            raise ChatProblem(with_hint(got))
        return got

    def take(self, frame: Frame) -> bool:
        """Whether the frame is an answer somebody waited for, or asked for and gave up on."""
        number = frame.get("reply_to")
        if not isinstance(number, str) or not number.startswith("ask-"):
            return False
        answer = self._asked.get(number)
        if answer is not None and not answer.done():
            answer.set_result(frame)
        return True

    def give_up(self, sentence: str) -> None:
        """The connection is another one: nobody answers any more."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ChatProblem(sentence, Exit.UNREACHABLE))

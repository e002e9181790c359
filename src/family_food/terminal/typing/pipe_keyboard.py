"""Lines that nobody may be typing."""

from __future__ import annotations

import asyncio
import codecs
import getpass
import os
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from family_food.terminal.display.below_prompt import below_prompt
from family_food.terminal.typing.keyboard import CONFIRM_GUARD_SECONDS, drop_input, is_yes

if TYPE_CHECKING:
    from family_food.terminal.display.screen import Screen


class PipeKeyboard:
    """Lines of a pipe or file, one message each; also of a terminal that can do no more than lines.

    Behind a pipe nobody is there, so nothing is ever confirmed.

    Args:
        screen: says that a question was answered with no.
        descriptor: file descriptor to read.
    """

    def __init__(self, screen: Screen, descriptor: int = 0) -> None:
        self._screen = screen
        self._descriptor = descriptor
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._ended = False

    async def line(self, prompt: str) -> str | None:
        """The next line that is not empty; None at the end."""
        while True:
            self._say(prompt)
            with below_prompt(prompt) if os.isatty(self._descriptor) else nullcontext():
                line = await self._next()
            if line is None or line:
                return line

    async def everything(self, most: int) -> str:
        """Everything up to the end of the input.

        Args:
            most: characters; what comes after so many is not read.
        """
        while not self._ended and len(self._rest) <= most:
            await self._read_more()
        text, self._rest = self._rest, ""
        return text

    async def secret(self, prompt: str) -> str | None:
        """The next line, without echo when it is a terminal after all."""
        if not os.isatty(self._descriptor):
            return await self.line(prompt)
        try:
            return await asyncio.to_thread(getpass.getpass, prompt)
        except EOFError:
            return None

    async def confirm(self, prompt: str) -> bool | None:
        """No, unless somebody types yes now: a line that was written before the question is no answer to it."""
        if not os.isatty(self._descriptor):
            self._screen.aside("Answered no: only a person at a terminal can confirm a decision.")
            return False
        await asyncio.sleep(CONFIRM_GUARD_SECONDS)
        drop_input(self._descriptor)
        self._rest = ""
        self._say(prompt)
        answer = await self._next()
        return None if answer is None else is_yes(answer)

    def put_aside(self) -> None:
        """Nothing to do: lines are read only between turns."""

    def _say(self, prompt: str) -> None:
        if os.isatty(self._descriptor):
            sys.stderr.write(prompt)
            sys.stderr.flush()

    async def _next(self) -> str | None:
        """The next line without its ends; None when there is none."""
        while "\n" not in self._rest and not self._ended:
            await self._read_more()
        if not self._rest:
            return None
        line, _, self._rest = self._rest.partition("\n")
        return line.strip()

    async def _read_more(self) -> None:
        data = await self._read()
        self._ended = not data
        self._rest += self._decoder.decode(data, final=self._ended)

    async def _read(self) -> bytes:
        """Bytes, from a thread of its own.

        A file cannot be polled, and a thread that still waits must neither keep the program from ending nor hold the
        lock of ``sys.stdin``.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()

        def deliver(data: bytes) -> None:
            if not future.done():
                future.set_result(data)

        def work() -> None:
            try:
                data = os.read(self._descriptor, 65_536)
            except OSError:
                data = b""
            try:
                loop.call_soon_threadsafe(deliver, data)
            except RuntimeError:  # the loop is closed: the chat ended while this waited
                return

        threading.Thread(target=work, name="stdin", daemon=True).start()
        return await future

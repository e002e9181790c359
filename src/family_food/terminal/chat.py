"""One chat: what the server says is shown while it comes, what the person says waits for its turn."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from typing import Any

from family_food.terminal.keyboard import Keyboard
from family_food.terminal.link import Link
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.screen import Screen
from family_food.terminal.terminal_keyboard import TerminalKeyboard, keys_not_shown
from family_food.terminal.visible import one_line

_LEAVE = ("exit", "quit")
_HELLO_SECONDS = 30.0


class Chat:
    """Shows frames and sends lines until one side ends it."""

    def __init__(self, link: Link, screen: Screen, keyboard: Keyboard) -> None:
        self._link = link
        self._screen = screen
        self._keyboard = keyboard
        self._changed = asyncio.Event()
        self._greeted = False
        self._sent = False  # a message is on its way and its turn has not begun
        self._turn: str | None = None
        self._cancelling = False
        self._question: Mapping[str, Any] | None = None
        self._goodbye = ""
        self._background: set[asyncio.Task[None]] = set()
        self._interrupted = False

    async def run(self) -> Exit:
        """Chat.

        Returns:
            Exit code; when lines come from a pipe, ``ERROR`` if the server reported an error meanwhile.

        Raises:
            ChatProblem: the server ended it, or was lost.
        """
        listening = asyncio.create_task(self._listen())
        talking = asyncio.create_task(self._talk())
        try:
            await asyncio.wait((listening, talking), return_when=asyncio.FIRST_COMPLETED)
            for task in (talking, listening):
                if task.done():
                    task.result()
        finally:
            for task in (talking, listening, *self._background):
                task.cancel()
            await asyncio.gather(talking, listening, *self._background, return_exceptions=True)
        if self._interrupted:
            return Exit.INTERRUPTED
        return Exit.ERROR if self._screen.showed_error and not self._screen.interactive else Exit.OK

    def interrupt(self) -> None:
        """Ctrl-C: cancel the turn; a second time leave; between turns say how to leave."""
        if not self._busy:
            self._screen.aside("To leave, press Ctrl-D or type exit.")
        elif self._cancelling:
            self._interrupted = True
            self._changed.set()
        else:
            self._cancelling = True
            self._screen.aside("Cancelling... (Ctrl-C again leaves)")
            self._start(self._link.send(type="cancel"))

    @property
    def _busy(self) -> bool:
        return self._sent or self._turn is not None

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _listen(self) -> None:
        try:
            async for frame in self._link.frames():
                self._take(frame)
        except ChatProblem as problem:
            raise ChatProblem(self._goodbye or problem.sentence, problem.exit_code) from problem

    def _take(self, frame: Mapping[str, Any]) -> None:
        kind = frame.get("type")
        if kind == "hello":
            self._greeted = True
        elif kind == "turn_start":
            self._turn = str(frame.get("turn"))
            self._sent = self._sent and frame.get("cause") == "event"  # then ours is still to come
        elif kind == "turn_end":
            self._turn, self._cancelling = None, False
        elif kind == "error":  # a message that is refused never becomes a turn
            self._sent = False
        elif kind == "confirm":
            self._question = frame
            self._keyboard.put_aside()
        elif kind == "confirm_closed" and self._question and frame.get("confirm_id") == self._question["confirm_id"]:
            self._question = None
            self._keyboard.put_aside()
        elif kind == "token_expiring":
            self._start(self._renew())
        elif kind == "goodbye":
            self._goodbye = one_line(frame.get("content"))
        self._screen.show(frame)
        self._changed.set()

    async def _renew(self) -> None:
        try:
            await self._link.renew()
        except ChatProblem as problem:
            self._screen.trouble(f"The log-in could not be renewed: {problem.sentence}")

    async def _talk(self) -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                await self._until(lambda: self._greeted)
        except TimeoutError:
            raise ChatProblem("The server opened the chat but did not greet.", Exit.UNREACHABLE) from None
        while not self._interrupted:
            await self._until(lambda: self._question is not None or not self._busy or self._interrupted)
            if self._question is not None:
                await self._answer(self._question)
            elif not self._busy:
                line = await self._keyboard.line("You: ")
                if line is None or line.strip().lower() in _LEAVE:
                    self._screen.say("👋 Ending chat session.")
                    return
                if line.strip():
                    await self._say(line.encode("utf-8", "replace").decode())

    async def _say(self, line: str) -> None:
        """Send a line, when the turn that began while it was typed is over."""
        if self._busy:
            self._screen.aside("⏳ Processing previous message. Please wait...")
        while self._busy and not self._interrupted:
            await self._until(lambda: self._question is not None or not self._busy or self._interrupted)
            if self._question is not None:
                await self._answer(self._question)
        if not self._interrupted:
            self._sent = True
            await self._link.send(type="message", message=line)

    async def _answer(self, question: Mapping[str, Any]) -> None:
        """Put a decision to the person. Closed meanwhile (expired, cancelled): their answer counts no more."""
        self._screen.question(question)
        answer = await self._keyboard.confirm()
        if self._question is question:
            self._question = None
            await self._link.send(type="confirm", confirm_id=question["confirm_id"], answer=answer)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


async def chat_here(link: Link, screen: Screen, keyboard: Keyboard) -> Exit:
    """Chat at this terminal, or with the lines of this pipe.

    Raises:
        ChatProblem: the server ended it, or was lost.
    """
    conversation = Chat(link, screen, keyboard)
    if not isinstance(keyboard, TerminalKeyboard):
        return await conversation.run()
    keyboard.on_interrupt = conversation.interrupt
    before = signal.getsignal(signal.SIGINT)
    with keys_not_shown():
        keyboard.catch_interrupts()
        try:
            return await conversation.run()
        finally:
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)

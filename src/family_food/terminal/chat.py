"""One chat: what the server says is shown while it comes, what the person says waits for its turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from family_food.terminal.commands.command_table import COMMANDS
from family_food.terminal.commands.registry import Command
from family_food.terminal.connection.address import client_command, user_option
from family_food.terminal.connection.link import Link
from family_food.terminal.context import ChatContext
from family_food.terminal.display.output import Output
from family_food.terminal.display.screen import Screen
from family_food.terminal.leaving import told_to_end
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.server_frames import ServerFrames
from family_food.terminal.typing.keyboard import Keyboard
from family_food.terminal.typing.spoken_lines import SpokenLines
from family_food.terminal.typing.terminal_keyboard import keys_not_shown
from family_food.terminal.visible import one_line, visible

_HELLO_SECONDS = 30.0

Frame = Mapping[str, Any]


class Chat(ChatContext):
    """Shows frames and sends lines until one side ends it.

    Args:
        link: the open chat.
        screen: shows.
        keyboard: where lines come from.
        username: the log-in name of the session's person, for a log-in in between; empty when nobody knows it.
        lasting: the server outlives the chat.
    """

    def __init__(
        self, link: Link, screen: Screen, keyboard: Keyboard, username: str = "", *, lasting: bool = True
    ) -> None:
        super().__init__(link, screen, keyboard, username)
        self._lasting = lasting
        self.lines = SpokenLines(self, COMMANDS, self._do)
        self._frames = ServerFrames(self, self.lines)
        self._to_do: asyncio.Queue[tuple[Command, str]] = asyncio.Queue()

    def _do(self, command: Command, arguments: str) -> None:
        """Run a command after those that were called before it."""
        if not command.anytime:
            self.turns.held = True
        self._to_do.put_nowait((command, arguments))

    async def run(self) -> Exit:
        """Chat.

        Returns:
            Exit code; when lines come from a pipe, ``ERROR`` if the server reported an error meanwhile.

        Raises:
            ChatProblem: the server ended it, or was lost.
        """
        for work in (self._listen(), self._send(), self._work()):
            self.start(work)
        try:
            if await self._greeted():
                async with self._input():
                    await self._over.wait()
                    await self._stop()
        finally:
            await self._stop()
        self._say_goodbye()
        if self._failure is not None:
            raise self._failure
        if self._exit_code is not Exit.OK:
            return self._exit_code
        return Exit.ERROR if self.screen.showed_error and not self.screen.interactive else Exit.OK

    @contextlib.asynccontextmanager
    async def _input(self) -> AsyncIterator[None]:
        """While the body runs, lines come in."""
        typed = self.typed
        if typed is None:
            self.start(self._read_lines())
            yield
            return
        from family_food.terminal.typing.line_completer import line_completer

        typed.on_line, typed.on_interrupt, typed.on_leave = self.lines.heard, self.lines.interrupt, self.leave
        typed.completer = line_completer(self, COMMANDS)
        async with typed.open():
            yield

    async def _stop(self) -> None:
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _say_goodbye(self) -> None:
        for line in self.turns.waiting.give_back():
            self.screen.trouble(f"Not sent: {one_line(line)}")
        if self._failure is None:
            self.screen.say("👋 Ending chat session.")
        elif not isinstance(self._failure, ChatProblem):
            return
        elif self.typed is not None and self.typed.left_over.strip():
            self.screen.say(f"Your line was: {visible(self.typed.left_over).strip()}")
        if self._lasting and os.isatty(0) and self.has_content and self.session_id:
            self.screen.say("To go on with it:")
            session = shlex.quote(one_line(self.session_id))
            # As one line however narrow the terminal is: it is there to be copied.
            Output("stdout").write(
                f"{client_command(self.link.url, f'{user_option(self.username)}--resume {session}')}\n"
            )

    async def _greeted(self) -> bool:
        """Wait for the greeting; False when the chat is over before."""
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                await self._until(lambda: self.turns.greeted)
        except TimeoutError:
            raise ChatProblem("The server opened the chat but did not greet.", Exit.UNREACHABLE) from None
        return not self._over.is_set()

    async def _listen(self) -> None:
        while True:
            link = self.link
            try:
                async for frame in link.frames():
                    if link is self.link:
                        self._frames.take(frame)
            except ChatProblem as problem:
                if link is self.link:
                    raise ChatProblem(self._frames.goodbye or problem.sentence, problem.exit_code) from problem
            if link is self.link:
                self.leave()
                return

    async def _send(self) -> None:
        while True:
            await self._send_now(**await self._to_send.get())

    async def _work(self) -> None:
        """Run commands one after another."""
        while True:
            command, arguments = await self._to_do.get()
            try:
                await command.run(self, arguments)
            except ChatProblem as problem:
                self.screen.trouble(problem.sentence)
            if not command.anytime:
                self.turns.held = False
                self.lines.send_waiting()
            self._to_do.task_done()
            self.wake()

    async def _read_lines(self) -> None:
        """Read lines where nobody types ahead: the next one only when the one before is answered."""
        while not self._over.is_set():
            await self._until(lambda: self.questions.open is not None or self.lines.free)
            if self.questions.open is not None:
                await self._answer()
            elif not self._over.is_set():
                line = await self.keyboard.line("You: ")
                if line is None:
                    self.leave()
                elif line.strip():
                    self.lines.heard(line)
            await self._to_do.join()  # a command may have something to ask

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition() and not self._over.is_set():
            self._changed.clear()
            changed, over = (asyncio.create_task(event.wait()) for event in (self._changed, self._over))
            try:
                await asyncio.wait((changed, over), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
                over.cancel()


async def chat_here(
    link: Link, screen: Screen, keyboard: Keyboard, username: str = "", *, lasting: bool = True
) -> Exit:
    """Chat at this terminal, or with the lines of this pipe.

    Args:
        link: the open chat. The person may go on with another conversation, whose link is closed here.
        screen: shows.
        keyboard: where lines come from.
        username: who logged in.
        lasting: the server outlives the chat: the person is told how to come back.

    Raises:
        ChatProblem: the server ended it, or was lost.
    """
    chat = Chat(link, screen, keyboard, username, lasting=lasting)
    quiet = keys_not_shown() if chat.typed is not None else contextlib.nullcontext()
    with quiet, told_to_end(chat.end, chat.lines.interrupt if chat.typed is None else None):
        try:
            return await chat.run()
        finally:
            if chat.link is not link:
                await chat.link.close()

"""One chat: what the server says is shown while it comes, what the person says waits for its turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from family_food.terminal.commands.command_table import COMMANDS
from family_food.terminal.commands.registry import Command
from family_food.terminal.commands.stored_sessions import StoredSessions
from family_food.terminal.commands.tally import Tally
from family_food.terminal.commands.waiting_requests import WaitingRequests
from family_food.terminal.connection.address import client_command, user_option
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.token_claims import is_somebody_elses, token_user
from family_food.terminal.connection.web import Web, log_in
from family_food.terminal.display.output import Output
from family_food.terminal.display.screen import Screen
from family_food.terminal.leaving import told_to_end
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.questions import Questions
from family_food.terminal.replies import Replies
from family_food.terminal.server_frames import ServerFrames
from family_food.terminal.turns import Turns
from family_food.terminal.typing.completion import Names
from family_food.terminal.typing.keyboard import Keyboard
from family_food.terminal.typing.spoken_lines import SpokenLines
from family_food.terminal.typing.terminal_keyboard import TerminalKeyboard, keys_not_shown
from family_food.terminal.visible import one_line, visible

_HELLO_SECONDS = 30.0

Frame = Mapping[str, Any]


class Chat:
    """Shows frames and sends lines until one side ends it.

    Args:
        link: the open chat.
        screen: shows.
        keyboard: where lines come from.
        username: the log-in name of the session's person, for a log-in in between; empty when nobody knows it.
        lasting: the server outlives the chat.

    Attributes:
        typed: the keyboard of a person whose input line stands below the output; None where lines come one by one.
        turns: whose turn it is.
        hello: the server's newest greeting.
        interrupted: an earlier process ended in the middle of a turn, which can be continued.
        has_content: there is something to come back to.
    """

    commands = COMMANDS

    def __init__(
        self, link: Link, screen: Screen, keyboard: Keyboard, username: str = "", *, lasting: bool = True
    ) -> None:
        self.link = link
        self.screen = screen
        self.keyboard = keyboard
        self.username = username or token_user(link.token)
        self._lasting = lasting
        self.typed = keyboard if isinstance(keyboard, TerminalKeyboard) else None
        self.turns = Turns()
        self.tally = Tally()
        self.waiting = WaitingRequests()
        self.names = Names()
        self.questions = Questions(screen, keyboard)
        self.sessions = StoredSessions(self._stored)
        self.replies = Replies(self._send_now)
        self.hello: Frame = {}
        self.interrupted = False
        self.has_content = False
        self.lines = SpokenLines(self)
        self._frames = ServerFrames(self)
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._exit_code = Exit.OK
        self._failure: BaseException | None = None
        self._to_send: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._to_do: asyncio.Queue[tuple[Command, str]] = asyncio.Queue()
        self._background: set[asyncio.Task[Any]] = set()

    @property
    def web(self) -> Web:
        """The server's HTTP side."""
        return self.link.web

    @property
    def session_id(self) -> str:
        """The conversation's id."""
        return self.link.session_id or ""

    @property
    def own_name(self) -> str:
        """The person's name, as the server has it."""
        user = self.hello.get("user")
        return one_line(user.get("name")) if isinstance(user, Mapping) else ""

    # What commands, lines and frames do here.

    async def ask(self, **frame: object) -> Frame:
        """Ask the server something that it answers without a model.

        Raises:
            ChatProblem: it refused, did not answer, or cannot be reached now.
        """
        if not self.turns.linked:
            raise ChatProblem("There is no connection now. Try again when it is back.", Exit.UNREACHABLE)
        return await self.replies.ask(**frame)

    async def refresh_requests(self) -> None:
        """Learn which requests wait.

        Raises:
            ChatProblem: as :meth:`ask`.
        """
        listing = await self.ask(type="list", what="requests", status="pending")
        self.waiting.update(listing.get("items") or (), self.own_name)

    def look_around(self, *, tell: bool = False) -> None:
        """Learn, in the background, what can be completed and decided now.

        Args:
            tell: say how many requests wait for the person, unless they have been told of all of them.
        """
        if self.typed is not None or (tell and os.isatty(0)):
            self.start(self._look_around(tell=tell))

    async def switch(self, session_id: str | None) -> None:
        """Go on with another conversation in this terminal; None begins a new one.

        Raises:
            ChatProblem: it could not be opened; this one goes on.
        """
        link = await Link.open(self.link.url, self.link.token, session_id, web=self.link.web)
        before, self.link = self.link, link
        self.replies.give_up("You are in another conversation now.")
        self.questions.withdraw()
        waiting, self.turns = self.turns.waiting, Turns()
        self.turns.waiting, self.turns.held = waiting, True
        self.interrupted = self.has_content = False
        await before.close()

    async def log_in(self, username: str, password: str) -> None:
        """Log in anew and let this chat live on with it, once the server has taken that for this very session.

        Raises:
            ChatProblem: the server refused; everything is as it was.
        """
        grant = await log_in(self.link.url, username, password)
        if is_somebody_elses(grant.token, self.username or username):
            raise ChatProblem("The server gave somebody else's log-in. Nothing has changed.", Exit.NOT_LOGGED_IN)
        await self.link.authenticate(grant)
        self.username = self.username or username

    def go_on(self) -> None:
        """Take up the turn that was interrupted."""
        self.suggest("")
        self.turns.sent()
        self.put(type="continue")

    def put(self, **frame: object) -> None:
        """Send a frame after those that were put before it."""
        self._to_send.put_nowait(frame)

    def do(self, command: Command, arguments: str) -> None:
        """Run a command after those that were called before it."""
        if not command.anytime:
            self.turns.held = True
        self._to_do.put_nowait((command, arguments))

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside everything else, at most until the chat is over. What it raises ends the chat."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def wake(self) -> None:
        """Something has changed that somebody may wait for."""
        self._changed.set()

    def suggest(self, line: str) -> None:
        """Let Enter on an empty line mean this; empty for nothing."""
        if self.typed is not None:
            self.typed.suggestion = line

    def put_question(self) -> None:
        """Put the server's open question to the person, where lines are not read one by one."""
        if self.typed is not None:
            self.start(self._answer())

    def leave(self) -> None:
        """End the chat."""
        self.end(Exit.OK)

    def end(self, exit_code: Exit) -> None:
        """End the chat, and the program with this code."""
        self._exit_code = exit_code
        self._over.set()

    # Running.

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
        typed.completer = line_completer(self)
        async with typed.open():
            yield

    async def _stop(self) -> None:
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None and self._failure is None:
            self._failure = task.exception()
            self._over.set()

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

    async def _send_now(self, **frame: object) -> None:
        await self.link.send(**frame)

    async def _stored(self, page: int, per_page: int) -> Frame:
        return await self.web.conversations(page, per_page)

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

    async def _answer(self) -> None:
        answered = await self.questions.answer()
        if answered is not None:
            self.put(type="confirm", confirm_id=answered[0], answer=answered[1])

    async def _look_around(self, *, tell: bool) -> None:
        with contextlib.suppress(ChatProblem):
            await self.refresh_requests()
            waiting = len(self.waiting.to_decide)
            if tell and self.waiting.untold:
                self.screen.aside(f"{waiting} request{' waits' if waiting == 1 else 's wait'} for you: /pending")
        with contextlib.suppress(ChatProblem):
            menu = await self.ask(type="list", what="menu")
            self.names.learn(menu.get("items") or ())

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

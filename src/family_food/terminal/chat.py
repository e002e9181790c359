"""One chat: what the server says is shown while it comes, what the person says waits for its turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from family_food.terminal.command_table import COMMANDS
from family_food.terminal.commands import Command
from family_food.terminal.completion import Names
from family_food.terminal.conversation_commands import last_exchange
from family_food.terminal.keyboard import Keyboard
from family_food.terminal.link import Link
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.questions import Questions
from family_food.terminal.replies import Replies
from family_food.terminal.screen import Screen
from family_food.terminal.stored_sessions import StoredSessions
from family_food.terminal.tally import Tally
from family_food.terminal.terminal_keyboard import TerminalKeyboard, keys_not_shown
from family_food.terminal.turns import Heard, Stop, Turns
from family_food.terminal.visible import one_line
from family_food.terminal.waiting_requests import WaitingRequests
from family_food.terminal.web import Web, log_in

_HELLO_SECONDS = 30.0

Frame = Mapping[str, Any]


class Chat:
    """Shows frames and sends lines until one side ends it.

    Args:
        link: the open chat.
        screen: shows.
        keyboard: where lines come from.
        username: who logged in, for a log-in in between.
        program: how the person started the client, for the command that resumes.

    Attributes:
        hello: the server's greeting.
        interrupted: an earlier process ended in the middle of a turn, which can be continued.
    """

    commands = COMMANDS

    def __init__(
        self, link: Link, screen: Screen, keyboard: Keyboard, username: str = "", program: str = "uv run client.py"
    ) -> None:
        self.link = link
        self.screen = screen
        self.keyboard = keyboard
        self.username = username
        self.turns = Turns()
        self.tally = Tally()
        self.waiting = WaitingRequests()
        self.names = Names()
        self.questions = Questions(screen, keyboard, self.waiting)
        self.sessions = StoredSessions(self._stored)
        self.hello: Frame = {}
        self.interrupted = False
        self._program = program
        self._typed = keyboard if isinstance(keyboard, TerminalKeyboard) else None
        self._replies = Replies(self._send_now)
        self._changed = asyncio.Event()
        self._leaving = asyncio.Event()
        self._to_send: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._to_do: asyncio.Queue[tuple[Command, str]] = asyncio.Queue()
        self._background: set[asyncio.Task[Any]] = set()
        self._goodbye = ""
        self._exit_code = Exit.OK
        self._has_content = False

    # What commands use.

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

    async def ask(self, **frame: object) -> Frame:
        """Ask the server something that it answers without a model.

        Raises:
            ChatProblem: it refused, did not answer, or cannot be reached now.
        """
        if not self.turns.linked:
            raise ChatProblem("There is no connection now. Try again when it is back.", Exit.UNREACHABLE)
        return await self._replies.ask(**frame)

    async def refresh_requests(self) -> None:
        """Learn which requests wait.

        Raises:
            ChatProblem: as :meth:`ask`.
        """
        listing = await self.ask(type="list", what="requests", status="pending")
        self.waiting.update(listing.get("items") or (), self.own_name)

    def look_around(self) -> None:
        """Learn, in the background, what can be completed and decided now."""
        if self._typed is not None:
            self._start(self._look_around())

    async def switch(self, session_id: str | None) -> None:
        """Go on with another conversation in this terminal; None begins a new one.

        Raises:
            ChatProblem: it could not be opened; this one goes on.
        """
        link = await Link.open(self.link.url, self.link.token, session_id, web=self.link.web)
        before, self.link = self.link, link
        self._replies.give_up("You are in another conversation now.")
        self.questions.withdraw()
        held, self.turns = self.turns.waiting, Turns()
        self.turns.waiting, self.turns.held = held, True
        self.interrupted = self._has_content = False
        await before.close()

    async def log_in(self, username: str, password: str) -> None:
        """Log in anew and let this chat live on with it.

        Raises:
            ChatProblem: the server refused.
        """
        grant = await log_in(self.link.url, username, password)
        self.web.token = grant.token
        if self.web.on_grant is not None:
            await self.web.on_grant(grant)
        self.username = username
        await self.link.send(type="authenticate", token=grant.token)

    def go_on(self) -> None:
        """Take up the turn that was interrupted."""
        self._suggest("")
        self.turns.sent()
        self._to_send.put_nowait({"type": "continue"})

    def leave(self) -> None:
        """End the chat."""
        self.end(Exit.OK)

    def end(self, exit_code: Exit) -> None:
        """End the chat, and the program with this code."""
        self._exit_code = exit_code
        self._leaving.set()

    # Lines.

    def heard(self, line: str) -> bool:
        """Take a line of the person; False when it stays where it is."""
        text = line.encode("utf-8", "replace").decode()
        self._suggest("")
        called = self.commands.called(text)
        if called is not None and called.command is None:
            self._echo(text)
            self.screen.trouble(called.problem)
            return True
        if called is not None and called.command is not None and (called.command.anytime or self._free()):
            self._echo(text)
            self._call(called.command, called.arguments)
            return True
        if called is None and self.turns.hear() is Heard.SEND:
            self._say(text)
            return True
        if self.turns.queue(text) is Heard.FULL:
            self.screen.trouble(
                f"{len(self.turns.waiting)} lines wait already. Send this one when the answer is there."
            )
            return False
        self.screen.echo_queued(text)
        return True

    def _free(self) -> bool:
        return self.turns.open and not self.turns.waiting

    def _say(self, text: str) -> None:
        self._echo(text)
        message_id = uuid.uuid4().hex
        self.turns.sent(message_id)
        self._has_content = True
        self._to_send.put_nowait({"type": "message", "message": text, "id": message_id})

    def _echo(self, text: str) -> None:
        if self._typed is not None:  # anywhere else it stands where it was typed
            self.screen.echo_said(text)

    def _call(self, command: Command, arguments: str) -> None:
        if not command.anytime:
            self.turns.held = True
        self._to_do.put_nowait((command, arguments))

    def _send_waiting(self) -> None:
        """Send what waited, now that it may go."""
        while (line := self.turns.next_line()) is not None:
            called = self.commands.called(line)
            if called is not None and called.command is not None:
                self._echo(line)
                self._call(called.command, called.arguments)
            else:
                self._say(line)

    def interrupt(self, has_text: bool = False) -> bool:
        """Ctrl-C: cancel the turn that runs; else clear the line; else say how to leave, or leave a server that hangs.

        Returns:
            True when the line is to be cleared.
        """
        stop = self.turns.stop()
        if stop is Stop.CANCEL:
            self.questions.withdraw()
            self._to_send.put_nowait({"type": "cancel"})
            self.screen.aside("Cancelling... (Ctrl-C again leaves)")
            self._give_back()
            self._changed.set()
            return False
        if has_text:
            return True
        if stop is Stop.STOPPING:
            self.end(Exit.INTERRUPTED)
        else:
            self.screen.aside("To leave, press Ctrl-D or type /exit.")
        return False

    def _give_back(self) -> None:
        """What waited for a turn that was cancelled may not fit any more: the person decides."""
        lines = self.turns.waiting.give_back()
        if not lines:
            return
        if self._typed is None:
            for line in lines:
                self.screen.trouble(f"Not sent: {one_line(line)}")
            return
        self._typed.give_back("\n".join(lines))
        count = "What was queued is" if len(lines) == 1 else f"The {len(lines)} queued lines are"
        self.screen.aside(f"{count} not sent, and back on your line.")

    # Running.

    async def run(self) -> Exit:
        """Chat.

        Returns:
            Exit code; when lines come from a pipe, ``ERROR`` if the server reported an error meanwhile.

        Raises:
            ChatProblem: the server ended it, or was lost.
        """
        watched = [self._start(work) for work in (self._listen(), self._talk(), self._leaving.wait())]
        self._start(self._send())
        self._start(self._work())
        try:
            await self._first_end(watched)
        finally:
            tasks = list(self._background)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._say_goodbye()
        if self._exit_code is not Exit.OK:
            return self._exit_code
        return Exit.ERROR if self.screen.showed_error and not self.screen.interactive else Exit.OK

    async def _talk(self) -> None:
        """Bring lines in until the person leaves."""
        await self._greeted()
        typed = self._typed
        if typed is None:
            await self._read_lines()
            return
        from family_food.terminal.line_completer import line_completer

        typed.on_line, typed.on_interrupt, typed.on_leave = self.heard, self.interrupt, self.leave
        typed.completer = line_completer(self)
        async with typed.open():
            await self._leaving.wait()

    async def _first_end(self, watched: list[asyncio.Task[Any]]) -> None:
        """Wait until the chat is over: the server ended it, or the person leaves."""
        pending = set(watched)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if self._leaving.is_set() or watched[0].done():
                return

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _say_goodbye(self) -> None:
        for line in self.turns.waiting.give_back():
            self.screen.trouble(f"Not sent: {one_line(line)}")
        self.screen.say("👋 Ending chat session.")
        session_id = one_line(self.session_id)
        if self.screen.interactive and self._has_content and session_id:
            self.screen.say(f"To go on with it: {self._program} --resume {session_id}")

    async def _greeted(self) -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                await self._until(lambda: self.turns.greeted)
        except TimeoutError:
            raise ChatProblem("The server opened the chat but did not greet.", Exit.UNREACHABLE) from None

    async def _send_now(self, **frame: object) -> None:
        await self.link.send(**frame)

    async def _stored(self) -> Mapping[str, Any]:
        return await self.web.conversations()

    async def _send(self) -> None:
        while True:
            await self.link.send(**await self._to_send.get())

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
                self._send_waiting()
                self._changed.set()

    async def _read_lines(self) -> None:
        """Read lines where nobody types ahead: the next one only when the one before is answered."""
        while not self._leaving.is_set():
            await self._until(lambda: self.questions.open is not None or self._free() or self._leaving.is_set())
            if self.questions.open is not None:
                await self._answer()
            elif self._free() and self._to_do.empty():
                line = await self.keyboard.line("You: ")
                if line is None:
                    self.leave()
                elif line.strip():
                    self.heard(line)
            await asyncio.sleep(0)

    async def _answer(self) -> None:
        answered = await self.questions.answer()
        if answered is not None:
            self._to_send.put_nowait({"type": "confirm", "confirm_id": answered[0], "answer": answered[1]})

    # Frames.

    async def _listen(self) -> None:
        while True:
            link = self.link
            try:
                async for frame in link.frames():
                    if link is self.link:
                        self._take(frame)
            except ChatProblem as problem:
                if link is self.link:
                    raise ChatProblem(self._goodbye or problem.sentence, problem.exit_code) from problem
            if link is self.link:
                return

    def _take(self, frame: Frame) -> None:
        if self._replies.take(frame):
            return
        kind = frame.get("type")
        known = self.turns.greeted
        stopping, stale = self.turns.stopping, self.turns.is_stale(frame)
        if self.turns.take(frame):
            self._to_send.put_nowait({"type": "cancel"})
        if not stale:
            self.screen.show(frame)
        if kind == "hello":
            self._hello(frame, known)
        self._follow(str(kind), frame, stopping)
        if kind == "confirm" and not stale:
            self.questions.asked(frame)
            self._put_question()
        self._send_waiting()
        self._changed.set()

    def _follow(self, kind: str, frame: Frame, stopping: bool) -> None:
        if kind == "turn_start":
            self._has_content, self.interrupted = True, False
            self._suggest("")
        elif kind == "turn_end":
            self.tally.add(frame)
            self.questions.turn_over()
            if frame.get("outcome") == "cancelled" and not stopping:
                self._give_back()
        elif kind == "confirm_closed":
            self.questions.closed(frame)
            self.look_around()
        elif kind == "error" and frame.get("code") == "too_soon" and self.questions.asked_again():
            self._put_question()
        elif kind == "notice":
            self.waiting.news(frame.get("request"), self.own_name)
        elif kind == "link":
            self._replies.give_up("The connection to the server was lost. Try again when it is back.")
            if frame.get("state") == "new_session":
                self.questions.withdraw()
        elif kind == "token_expiring":
            self._start(self._renew())
        elif kind == "goodbye":
            self._goodbye = one_line(frame.get("content"))

    def _put_question(self) -> None:
        if self._typed is not None:
            self._start(self._answer())

    def _hello(self, frame: Frame, known: bool) -> None:
        self.hello = frame
        self._has_content = self._has_content or bool(frame.get("resumed"))
        if frame.get("resumed") and not known and frame.get("turn") is None:
            self._start(self._recall())
        self.interrupted = isinstance(frame.get("interrupted"), Mapping)
        if self.interrupted:
            self.screen.say(
                "The turn was interrupted: Enter on /continue takes it up again. Or just type on.", "yellow"
            )
            self._suggest("/continue")
        self.look_around()

    async def _recall(self) -> None:
        """Show the last exchange of a conversation that goes on."""
        with contextlib.suppress(ChatProblem):
            stored = await self.web.conversation(self.session_id)
            if not self.turns.busy and not self.turns.ended:
                self.screen.conversation_tail(last_exchange(stored))

    def _suggest(self, line: str) -> None:
        if self._typed is not None:
            self._typed.suggestion = line

    async def _look_around(self) -> None:
        with contextlib.suppress(ChatProblem):
            await self.refresh_requests()
        with contextlib.suppress(ChatProblem):
            menu = await self.ask(type="list", what="menu")
            self.names.learn(menu.get("items") or ())

    async def _renew(self) -> None:
        try:
            await self.link.renew()
        except ChatProblem as problem:
            self.screen.trouble(f"The log-in could not be renewed: {problem.sentence} /login lets this chat go on.")

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


async def chat_here(link: Link, screen: Screen, keyboard: Keyboard, username: str = "") -> Exit:
    """Chat at this terminal, or with the lines of this pipe.

    Args:
        link: the open chat; :attr:`Chat.link` may be another one at the end, which is closed here.
        screen: shows.
        keyboard: where lines come from.
        username: who logged in.

    Raises:
        ChatProblem: the server ended it, or was lost.
    """
    chat = Chat(link, screen, keyboard, username)
    with (
        keys_not_shown() if isinstance(keyboard, TerminalKeyboard) else contextlib.nullcontext(),
        _signals(chat, keyboard),
    ):
        try:
            return await chat.run()
        finally:
            if chat.link is not link:
                await chat.link.close()


@contextlib.contextmanager
def _signals(chat: Chat, keyboard: Keyboard) -> Iterator[None]:
    """Leave in an orderly way when told to, so that the terminal is left as it was found.

    Ctrl-C comes as a signal only where no input line catches it: on a terminal that can do no more than lines.
    """
    handlers: dict[int, Callable[[], object]] = {
        getattr(signal, name): lambda: chat.end(Exit.TERMINATED)
        for name in ("SIGTERM", "SIGHUP")
        if hasattr(signal, name)
    }
    if not isinstance(keyboard, TerminalKeyboard) and os.isatty(0):
        handlers[signal.SIGINT] = chat.interrupt
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in handlers}
    with contextlib.suppress(NotImplementedError):  # Windows
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in handlers:
                loop.remove_signal_handler(number)
        for number, earlier in before.items():
            signal.signal(number, earlier)

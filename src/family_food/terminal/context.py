"""What commands, lines and frames find and may do in a chat."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Mapping
from typing import Any

from family_food.terminal.commands.stored_sessions import StoredSessions
from family_food.terminal.commands.tally import Tally
from family_food.terminal.commands.waiting_requests import WaitingRequests
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.token_claims import is_somebody_elses, token_user
from family_food.terminal.connection.web import Web, log_in
from family_food.terminal.display.screen import Screen
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.questions import Questions
from family_food.terminal.replies import Replies
from family_food.terminal.turns import Turns
from family_food.terminal.typing.completion import Names
from family_food.terminal.typing.keyboard import Keyboard
from family_food.terminal.typing.terminal_keyboard import TerminalKeyboard
from family_food.terminal.visible import one_line

Frame = Mapping[str, Any]


class ChatContext:
    """The state of a chat, and what changes it. :class:`~family_food.terminal.chat.Chat` runs it.

    Args:
        link: the open chat.
        screen: shows.
        keyboard: where lines come from.
        username: the log-in name of the session's person, for a log-in in between; empty when nobody knows it.

    Attributes:
        typed: the keyboard of a person whose input line stands below the output; None where lines come one by one.
        turns: whose turn it is.
        hello: the server's newest greeting.
        interrupted: an earlier process ended in the middle of a turn, which can be continued.
        has_content: there is something to come back to.
    """

    def __init__(self, link: Link, screen: Screen, keyboard: Keyboard, username: str = "") -> None:
        self.link = link
        self.screen = screen
        self.keyboard = keyboard
        self.username = username or token_user(link.token)
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
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._exit_code = Exit.OK
        self._failure: BaseException | None = None
        self._to_send: asyncio.Queue[dict[str, object]] = asyncio.Queue()
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

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None and self._failure is None:
            self._failure = task.exception()
            self._over.set()

    async def _send_now(self, **frame: object) -> None:
        await self.link.send(**frame)

    async def _stored(self, page: int, per_page: int) -> Frame:
        return await self.web.conversations(page, per_page)

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

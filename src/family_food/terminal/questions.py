"""What only the person can answer: one question at a time, no by default, and never by what was typed before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from family_food.terminal.display.screen import Screen
    from family_food.terminal.typing.keyboard import Keyboard

Frame = Mapping[str, Any]


class Questions:
    """Puts questions on the screen and brings the answers.

    Args:
        screen: shows what is asked about.
        keyboard: where answers come from.
    """

    def __init__(self, screen: Screen, keyboard: Keyboard) -> None:
        self._screen = screen
        self._keyboard = keyboard
        self._one_at_a_time = asyncio.Lock()
        self._open: Frame | None = None  # the server's question that waits for an answer
        self._shown: Frame | None = None  # ... and is on the screen
        self._answered: Frame | None = None
        self._asked_in_turn = 0

    @property
    def open(self) -> Frame | None:
        """The server's question that is not answered yet."""
        return self._open

    def asked(self, frame: Frame) -> None:
        """The server asks."""
        self._open = frame

    def asked_again(self) -> bool:
        """The answer came too soon for the server: the question is open again. False when there was none."""
        if self._answered is None or self._open is not None:
            return False
        self._open, self._answered = self._answered, None
        self._asked_in_turn -= 1
        return True

    def closed(self, frame: Frame) -> None:
        """A question of the server's needs no answer any more."""
        confirm_id = frame.get("confirm_id")
        if self._answered is not None and self._answered.get("confirm_id") == confirm_id:
            self._answered = None
        if self._open is not None and self._open.get("confirm_id") == confirm_id:
            self.withdraw()

    def withdraw(self) -> None:
        """The server's question is void: its turn was stopped, or the connection is another one."""
        self._answered = None
        if self._open is not None:
            on_screen, self._open = self._shown is self._open, None
            if on_screen:
                self._keyboard.put_aside()

    def turn_over(self) -> None:
        """The next question is the first of its turn."""
        self._asked_in_turn = 0
        self.withdraw()

    async def answer(self) -> tuple[str, bool] | None:
        """Put the server's open question to the person.

        Returns:
            The ``confirm_id`` and the answer; None when the question was closed meanwhile.
        """
        async with self._one_at_a_time:
            question = self._open
            if question is None:
                return None
            self._asked_in_turn += 1
            self._shown = question
            self._screen.question(question, self._asked_in_turn)
            yes = bool(await self._keyboard.confirm(self._screen.question_prompt(question)))
            self._shown = None
            if self._open is not question:
                return None
            self._open, self._answered = None, question
            return str(question.get("confirm_id")), yes

    async def decide(self, verb: str, view: Frame, comment: str, *, number: int, total: int) -> bool | None:
        """Ask whether a stored request shall be approved or denied.

        Args:
            verb: ``approve`` or ``deny``.
            view: the request.
            comment: what the asker will be told.
            number: which one of several it is, from 1.
            total: how many they are.

        Returns:
            None when the person would rather not answer: nothing is to be decided, and nothing more to be asked.
        """
        async with self._one_at_a_time:
            self._screen.ask_approval(view, number, total, verb=verb, comment=comment)
            return await self._ask(verb, view)

    async def sure(self, sentence: str) -> bool:
        """Ask a yes-or-no question of our own."""
        async with self._one_at_a_time:
            self._screen.say(f"❓ {sentence}", "bold yellow")
            return bool(await self._ask("", {}))

    async def secret(self, prompt: str) -> str | None:
        """Ask for a password; None when the person would rather not."""
        async with self._one_at_a_time:
            return await self._keyboard.secret(prompt)

    async def _ask(self, verb: str, view: Frame) -> bool | None:
        return await self._keyboard.confirm(self._screen.approval_prompt(view, verb))

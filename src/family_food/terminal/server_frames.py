"""What becomes of a frame: it is shown, and it changes whose turn it is, what is asked and what can be completed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from family_food.terminal.commands.conversation_commands import last_exchange
from family_food.terminal.problem import ChatProblem
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from family_food.terminal.context import ChatContext
    from family_food.terminal.typing.spoken_lines import SpokenLines

Frame = Mapping[str, Any]


class ServerFrames:
    """Takes what the link brings.

    Args:
        chat: shows and answers.
        lines: what the person said and was not sent yet.

    Attributes:
        goodbye: why the server ends the chat, in its own words.
    """

    def __init__(self, chat: ChatContext, lines: SpokenLines) -> None:
        self._chat = chat
        self._lines = lines
        self.goodbye = ""
        self._told_how = False
        self._told_what_waits = False

    def take(self, frame: Frame) -> None:
        """Take a frame of the server or of the link."""
        chat = self._chat
        if chat.replies.take(frame):
            return
        kind, known = str(frame.get("type")), chat.turns.greeted
        stopping, stale = chat.turns.stopping, chat.turns.is_stale(frame)
        if chat.turns.take(frame):
            chat.put(type="cancel")
        if not stale:
            chat.screen.show(frame)
        if kind == "hello":
            self._hello(frame, known=known)
        elif kind == "confirm" and not stale:
            chat.questions.asked(frame)
            chat.put_question()
        elif kind == "turn_end":
            self._turn_end(frame, asked_for=stopping)
        else:
            self._follow(kind, frame)
        self._lines.send_waiting()
        chat.wake()

    def _follow(self, kind: str, frame: Frame) -> None:
        chat = self._chat
        match kind:
            case "turn_start":
                chat.has_content, chat.interrupted = True, False
                chat.suggest("")
            case "confirm_closed":
                chat.questions.closed(frame)
                chat.look_around()
            case "error" if frame.get("code") == "too_soon" and chat.questions.asked_again():
                chat.put_question()
            case "notice":
                chat.waiting.news(frame.get("request"), chat.own_name)
                request = frame.get("request")
                chat.waiting.told.add(str(request.get("id")) if isinstance(request, Mapping) else "")
                if frame.get("event") == "request_decided":
                    chat.look_around()
                elif chat.typed is not None and not self._told_how:
                    self._told_how = True
                    chat.screen.aside("/approve or /deny decides it, after a look at it.")
            case "link":
                self.goodbye = ""  # it was about a connection that is no more
                chat.replies.give_up("The connection to the server was lost. Try again when it is back.")
                if frame.get("state") == "new_session":
                    chat.questions.withdraw()
            case "token_expiring":
                chat.start(self._renew())
            case "goodbye":
                self.goodbye = one_line(frame.get("content"))

    def _turn_end(self, frame: Frame, *, asked_for: bool) -> None:
        chat = self._chat
        chat.tally.add(frame)
        chat.questions.turn_over()
        if frame.get("outcome") == "cancelled" and not asked_for:  # by somebody else
            self._lines.give_back()

    def _hello(self, frame: Frame, *, known: bool) -> None:
        chat = self._chat
        chat.hello = frame
        chat.has_content = chat.has_content or bool(frame.get("resumed"))
        if frame.get("resumed") and not known and frame.get("turn") is None:
            chat.start(self._recall())
        chat.interrupted = isinstance(frame.get("interrupted"), Mapping)
        if chat.interrupted:
            chat.screen.say(
                "The turn was interrupted. Press Enter to take it up (/continue), or just type on.", "yellow"
            )
            chat.suggest("/continue")
        chat.look_around(tell=not self._told_what_waits)
        self._told_what_waits = True

    async def _recall(self) -> None:
        """Show the last exchange of a conversation that goes on."""
        chat = self._chat
        with contextlib.suppress(ChatProblem):
            stored = await chat.web.conversation(chat.session_id)
            if not chat.turns.busy and not chat.turns.ended:
                chat.screen.conversation_tail(last_exchange(stored))

    async def _renew(self) -> None:
        chat = self._chat
        try:
            await chat.link.renew()
        except ChatProblem as problem:
            chat.screen.trouble(f"The log-in could not be renewed: {problem.sentence} /login lets this chat go on.")

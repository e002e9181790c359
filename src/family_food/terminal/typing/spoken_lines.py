"""What becomes of a line: a message, a command, or something that waits."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from family_food.terminal.problem import Exit
from family_food.terminal.turns import Heard, Stop
from family_food.terminal.visible import one_line, sendable

if TYPE_CHECKING:
    from family_food.terminal.commands.registry import Command, Commands
    from family_food.terminal.context import ChatContext


class SpokenLines:
    """Takes what the person types.

    Args:
        chat: sends and shows.
        commands: what a line may call.
        do: runs a command, with what stood behind its name, after those that were called before it.
    """

    def __init__(self, chat: ChatContext, commands: Commands, do: Callable[[Command, str], None]) -> None:
        self._chat = chat
        self._commands = commands
        self._do = do

    @property
    def free(self) -> bool:
        """A line typed now goes out at once."""
        return self._chat.turns.hear() is Heard.SEND

    def heard(self, line: str) -> bool:
        """Take a line; False when it stays where it is, because too many wait already."""
        chat, text = self._chat, sendable(line)
        chat.suggest("")
        called = self._commands.called(text)
        if called is not None and called.command is None:
            self._echo(text)
            chat.screen.trouble(called.problem)
        elif called is not None and called.command is not None and (called.command.anytime or self.free):
            self._echo(text)
            self._do(called.command, called.arguments)
        elif called is None and self.free:
            self._say(text)
        elif chat.turns.queue(text) is Heard.FULL:
            count = len(chat.turns.waiting)
            chat.screen.trouble(f"{count} lines wait already. Send this one when the answer is there.")
            return False
        else:
            chat.screen.echo_queued(text)
        return True

    def send_waiting(self) -> None:
        """Send what waited, as far as it may go now."""
        chat = self._chat
        while (line := chat.turns.next_line()) is not None:
            called = self._commands.called(line)
            if called is not None and called.command is not None:
                self._echo(line)
                self._do(called.command, called.arguments)
            else:
                self._say(line)

    def interrupt(self, has_text: bool = False) -> bool:
        """Ctrl-C: cancel the turn that runs; else clear the line; else say how to leave, or leave a server that hangs.

        Returns:
            True when the line is to be cleared.
        """
        chat = self._chat
        stop = chat.turns.stop()
        if stop is Stop.CANCEL:
            chat.questions.withdraw()
            chat.put(type="cancel")
            chat.screen.aside("Cancelling... (Ctrl-C again leaves)")
            self.give_back()
            chat.wake()
            return False
        if has_text:
            return True
        if stop is Stop.STOPPING:
            chat.end(Exit.INTERRUPTED)
        else:
            chat.screen.aside("To leave, press Ctrl-D or type /exit.")
        return False

    def give_back(self) -> None:
        """What waited for a turn that was cancelled may not fit any more: the person decides."""
        chat = self._chat
        lines = chat.turns.waiting.give_back()
        if not lines:
            return
        if chat.typed is None:
            for line in lines:
                chat.screen.trouble(f"Not sent: {one_line(line)}")
            return
        chat.typed.give_back(lines)
        if len(lines) == 1:
            chat.screen.aside("What was queued is not sent, and back on your line.")
        else:
            chat.screen.aside(f"The {len(lines)} queued lines are not sent: they come back to your line, one by one.")

    def _say(self, text: str) -> None:
        chat = self._chat
        self._echo(text)
        message_id = uuid.uuid4().hex
        chat.turns.sent(message_id)
        chat.has_content = True
        chat.put(type="message", message=text, id=message_id)

    def _echo(self, text: str) -> None:
        if self._chat.typed is not None:  # anywhere else it stands where it was typed
            self._chat.screen.echo_said(text)

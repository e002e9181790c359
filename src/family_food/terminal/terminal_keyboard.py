"""A person who types."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from family_food.terminal.keyboard import CONFIRM_GUARD_SECONDS, drop_input, is_yes

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from family_food.terminal.screen import Screen

try:
    import termios
except ImportError:  # pragma: no cover - Windows
    termios = None  # type: ignore[assignment]


class TerminalKeyboard:
    """A person at a terminal: editing, history, hidden passwords, and output above the line being typed.

    Args:
        screen: told when an input line stands below its output.
    """

    def __init__(self, screen: Screen) -> None:
        from prompt_toolkit import PromptSession

        self._screen = screen
        self._lines: PromptSession[str] = PromptSession(key_bindings=self._interrupt_keys())
        self._open: PromptSession[str] | None = None
        self._kept = ""
        self.on_interrupt: Callable[[], None] = lambda: None

    def catch_interrupts(self) -> None:
        """From now on Ctrl-C calls ``on_interrupt``, also while no input line is open."""
        with suppress(NotImplementedError):  # Windows: there it ends the program
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.on_interrupt)

    def _interrupt_keys(self) -> KeyBindings:
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.reset()  # as a shell does
            else:
                self.on_interrupt()

        return keys

    async def ask(self, prompt: str, *, hidden: bool = False) -> str | None:
        """A line that belongs to no chat, such as a user name; Ctrl-C raises KeyboardInterrupt."""
        from prompt_toolkit import PromptSession

        try:
            return await PromptSession[str]().prompt_async(prompt, is_password=hidden)
        except EOFError:
            return None

    async def secret(self, prompt: str) -> str | None:
        """A line shown as asterisks, kept in no history."""
        return await self.ask(prompt, hidden=True)

    async def line(self, prompt: str) -> str | None:
        """A line of the chat; None at Ctrl-D."""
        kept, self._kept = self._kept, ""
        try:
            return await self._prompt(self._lines, prompt, kept)
        except EOFError:
            return None

    async def confirm(self) -> bool:
        """Ask [y/N]. Whatever was typed before the question could be read is thrown away."""
        from prompt_toolkit import PromptSession

        await asyncio.sleep(CONFIRM_GUARD_SECONDS)
        self._forget_typeahead()
        try:
            answer = await self._prompt(PromptSession[str](), "[y/N] ", "")
        except (EOFError, KeyboardInterrupt):
            return False
        return is_yes(answer)

    def put_aside(self) -> None:
        """See :class:`Keyboard`."""
        session = self._open
        if session is None or not session.app.is_running or session.app.is_done:
            return
        if session is self._lines:
            self._kept = session.default_buffer.text
        session.app.erase_when_done = True
        session.app.exit(result="")

    async def _prompt(self, session: PromptSession[str], prompt: str, default: str) -> str:
        from prompt_toolkit.patch_stdout import patch_stdout

        session.app.erase_when_done = False
        self._open = session
        self._screen.input_line_below = True
        try:
            with patch_stdout(raw=True):
                return await session.prompt_async(prompt, default=default)
        finally:
            self._screen.input_line_below = False
            self._open = None
            self.catch_interrupts()  # prompt_toolkit took the handler away
            for _ in range(3):  # lets lines that were on their way above the input line be written before later ones
                await asyncio.sleep(0)

    @staticmethod
    def _forget_typeahead() -> None:
        from prompt_toolkit.application.current import get_app_session
        from prompt_toolkit.input.typeahead import clear_typeahead

        clear_typeahead(get_app_session().input)
        drop_input(sys.stdin.fileno())


@contextmanager
def keys_not_shown() -> Iterator[None]:
    """While no input line is open, typed keys wait unseen instead of landing in the middle of an answer."""
    if termios is None:  # pragma: no cover - Windows
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)

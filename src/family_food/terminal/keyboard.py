"""How lines come in: typed at a terminal, or read from a pipe."""

from __future__ import annotations

import asyncio
import codecs
import getpass
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from family_food.terminal.screen import Screen

try:
    import termios
except ImportError:  # pragma: no cover - Windows
    termios = None  # type: ignore[assignment]

# A question that pops up under the fingers of somebody who types must not be answered by what they were typing.
CONFIRM_GUARD_SECONDS = 0.6


class Keyboard(Protocol):
    """Where lines come from."""

    async def line(self, prompt: str) -> str | None:
        """The next line; None when there are no more. ``""`` when it was put aside."""
        ...

    async def secret(self, prompt: str) -> str | None:
        """A line that is not shown."""
        ...

    async def confirm(self) -> bool:
        """Whether a person said yes, now, to the question that is on the screen."""
        ...

    def put_aside(self) -> None:
        """End a running :meth:`line` or :meth:`confirm` at once; what was typed of a line comes back in the next."""
        ...


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
        return _is_yes(answer)

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
        _drop_input(sys.stdin.fileno())


def _is_yes(answer: str) -> bool:
    return answer.strip().lower() in ("y", "yes")


def _drop_input(descriptor: int) -> None:
    """Throw away what was typed and not read yet."""
    if termios is not None:
        termios.tcflush(descriptor, termios.TCIFLUSH)


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
            line = await self._next()
            if line is None or line:
                return line

    async def secret(self, prompt: str) -> str | None:
        """The next line, without echo when it is a terminal after all."""
        if not os.isatty(self._descriptor):
            return await self.line(prompt)
        try:
            return await asyncio.to_thread(getpass.getpass, prompt)
        except EOFError:
            return None

    async def confirm(self) -> bool:
        """No, unless somebody types yes now: a line that was written before the question is no answer to it."""
        if not os.isatty(self._descriptor):
            self._screen.aside("Answered no: only a person at a terminal can confirm a decision.")
            return False
        await asyncio.sleep(CONFIRM_GUARD_SECONDS)
        _drop_input(self._descriptor)
        self._rest = ""
        self._say("[y/N] ")
        return _is_yes(await self._next() or "")

    def put_aside(self) -> None:
        """Nothing to do: lines are read only between turns."""

    def _say(self, prompt: str) -> None:
        if os.isatty(self._descriptor):
            sys.stderr.write(prompt)
            sys.stderr.flush()

    async def _next(self) -> str | None:
        """The next line without its ends; None when there is none."""
        while "\n" not in self._rest and not self._ended:
            data = await self._read()
            self._ended = not data
            self._rest += self._decoder.decode(data, final=self._ended)
        if not self._rest:
            return None
        line, _, self._rest = self._rest.partition("\n")
        return line.strip()

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

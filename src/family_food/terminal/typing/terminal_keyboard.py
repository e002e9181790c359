"""A person who types."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from family_food.terminal.access.state_folder import state_folder
from family_food.terminal.display.above_line import above_line
from family_food.terminal.typing.history_file import open_history
from family_food.terminal.typing.keyboard import CONFIRM_GUARD_SECONDS, drop_input, is_yes
from family_food.terminal.typing.line_keys import line_keys

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.document import Document
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from family_food.terminal.display.screen import Screen

try:
    import termios
except ImportError:  # pragma: no cover - Windows
    termios = None  # type: ignore[assignment]

PROMPT = "You: "
_MENU_LINES = 6
_TICK_SECONDS = 0.125


@dataclass
class _Question:
    prompt: str
    hidden: bool
    answer: asyncio.Future[str | None]
    kept: Document
    ready: bool = False


class TerminalKeyboard:
    """A person at a terminal: one input line that stands below all output for as long as the chat is open.

    Args:
        screen: told when an input line stands below its output.
        history: file of what was typed; None for the usual one.

    Attributes:
        on_line: called with every line; False leaves it on the input line.
        on_interrupt: called at Ctrl-C, told whether something is on the line; True when the line is to be cleared.
        on_leave: called at Ctrl-D on an empty line, and when the terminal is gone.
        completer: what Tab offers.
        suggestion: what Enter on the empty line means.
        left_over: what stood on the input line when it was closed.
    """

    def __init__(self, screen: Screen, history: Path | None = None) -> None:
        self._screen = screen
        self._history = history or state_folder() / "history"
        self._lines: PromptSession[str] | None = None
        self._question: _Question | None = None
        self._put_aside = False
        self._given_back: deque[str] = deque()
        self.on_line: Callable[[str], bool] = lambda _: True
        self.on_interrupt: Callable[[bool], bool] = lambda has_text: has_text
        self.on_leave: Callable[[], None] = lambda: None
        self.completer: Completer | None = None
        self.suggestion = ""
        self.left_over = ""

    # Before the chat: questions of their own.

    async def ask(self, prompt: str, *, hidden: bool = False) -> str | None:
        """A line that belongs to no chat, such as a user name; Ctrl-C raises KeyboardInterrupt."""
        from prompt_toolkit import PromptSession

        try:
            return await PromptSession[str]().prompt_async(prompt, is_password=hidden)
        except EOFError:
            return None

    async def line(self, prompt: str) -> str | None:
        """A line that belongs to no chat: in a chat they come through ``on_line``."""
        return await self.ask(prompt)

    async def secret(self, prompt: str) -> str | None:
        """A line shown as asterisks, kept in no history; None when the person would rather not."""
        return await (self._put(prompt, hidden=True) if self._lines else self.ask(prompt, hidden=True))

    # During the chat.

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """While the body runs the input line stands below all output."""
        session = self._session()
        self._lines = session
        self._screen.input_line_below = True
        self._screen.on_change = self.redraw
        with above_line(session.app, session.app.output):
            running = asyncio.create_task(self._run(session))
            ticking = asyncio.create_task(self._tick())
            try:
                yield
            finally:
                ticking.cancel()
                kept = self._question.kept if self._question is not None else session.default_buffer.document
                self.left_over = "\n".join((kept.text, *self._given_back))
                if session.app.is_running and not session.app.is_done:
                    session.app.exit(result="")
                await asyncio.gather(running, return_exceptions=True)
                self._screen.input_line_below = False
                self._lines = None

    async def confirm(self, prompt: str) -> bool | None:
        """Ask for a yes; None at Ctrl-C and Ctrl-D.

        Whatever was typed before the question could be read is thrown away; all but a yes is a no.
        """
        answer = await self._put(prompt, guard=CONFIRM_GUARD_SECONDS)
        if not self._put_aside:
            self._screen.say(f"{prompt}{'no' if answer is None else answer}")
        return None if answer is None else is_yes(answer)

    def put_aside(self) -> None:
        """End a question that needs no answer any more; the half-typed line comes back."""
        self._put_aside = True
        self.answer_nothing()

    def give_back(self, lines: Sequence[str]) -> None:
        """Put lines on the input line, one after the other: each when the one before is sent or cleared.

        What stands on the input line now comes after them.
        """
        if self._lines is None or not lines:
            return
        standing = self._question.kept if self._question is not None else self._lines.default_buffer.document
        first, *more = (*lines, *([standing.text] if standing.text else []))
        self._given_back = deque((*more, *self._given_back))
        self._put_on_line(first)

    def _put_on_line(self, text: str) -> None:
        from prompt_toolkit.document import Document

        if self._question is not None:
            self._question.kept = Document(text)
        elif self._lines is not None:
            self._lines.default_buffer.set_document(Document(text), bypass_readonly=True)

    def _next_given_back(self) -> None:
        if self._given_back:
            self._put_on_line(self._given_back.popleft())

    def redraw(self) -> None:
        """What goes on has changed."""
        if self._lines is not None:
            self._lines.app.invalidate()

    # What the keys do: see family_food.terminal.typing.line_keys.Line.

    @property
    def asking(self) -> bool:
        """A question stands in place of the input line."""
        return self._question is not None

    @property
    def guarded(self) -> bool:
        """The question takes no answer yet."""
        return self._question is not None and not self._question.ready

    def entered(self) -> None:
        """Enter."""
        if self._lines is None:
            return
        buffer = self._lines.default_buffer
        if self._question is not None:
            self._answer(buffer.text)
        elif not buffer.text.strip():
            buffer.reset()
            if self.suggestion:
                self.on_line(self.suggestion)
        elif self.on_line(buffer.text):
            buffer.reset(append_to_history=True)
            self._next_given_back()

    def answer_nothing(self) -> None:
        """A question gets no answer, which is a no."""
        self._answer(None)

    def interrupted(self) -> None:
        """Ctrl-C."""
        if self._lines is not None and self.on_interrupt(bool(self._lines.default_buffer.text)):
            self._lines.default_buffer.reset()
            self._next_given_back()

    def leave(self) -> None:
        """Ctrl-D on an empty line."""
        self.on_leave()

    def _session(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import DynamicCompleter
        from prompt_toolkit.filters import Condition

        session: PromptSession[str] = PromptSession(
            message=self._message,
            multiline=False,
            prompt_continuation=" " * len(PROMPT),
            is_password=Condition(lambda: self._question is not None and self._question.hidden),
            completer=DynamicCompleter(lambda: None if self._question else self.completer),
            complete_while_typing=Condition(self._types_command),
            reserve_space_for_menu=_MENU_LINES,
            history=open_history(self._history),
            key_bindings=line_keys(self),
            enable_suspend=True,
            enable_open_in_editor=True,
            tempfile_suffix=".md",
            erase_when_done=True,
        )
        session.default_buffer.accept_handler = self._accept  # of an editor: the line is never left
        output = session.app.output
        if hasattr(output, "enable_cpr"):
            output.enable_cpr = False  # nothing here needs to know the row, and late answers end up in the shell
        return session

    def _accept(self, buffer: Buffer) -> bool:
        return self._question is not None or not self.on_line(buffer.text)

    def _types_command(self) -> bool:
        if self._lines is None or self._question is not None:
            return False
        text = self._lines.default_buffer.text
        return text.startswith("/") and "\n" not in text

    async def _tick(self) -> None:
        """Keep the line above the input line moving while something goes on."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self._screen.working and self._question is None:
                self.redraw()

    async def _run(self, session: PromptSession[str]) -> None:
        try:
            await session.prompt_async()
        except (EOFError, KeyboardInterrupt):
            self.on_leave()

    def _message(self) -> StyleAndTextTuples:
        question = self._question
        if question is not None:
            return [("bold", question.prompt if question.ready else "")]
        activity = self._screen.working
        above: StyleAndTextTuples = [("fg:ansibrightblack", f"{activity}\n")] if activity else []
        return [*above, ("class:prompt bold", PROMPT)]

    async def _put(self, prompt: str, *, hidden: bool = False, guard: float = 0.0) -> str | None:
        """Let a question stand in place of the input line; None when it is not answered."""
        session = self._lines
        if session is None or self._question is not None:
            return None
        loop = asyncio.get_running_loop()
        self._leave_search(session)
        kept = session.default_buffer.document
        self._put_aside = False
        question = self._question = _Question(prompt, hidden, loop.create_future(), kept)
        session.default_buffer.reset()
        session.app.invalidate()
        timer = loop.call_later(guard, self._ready, question)
        try:
            return await question.answer
        finally:
            timer.cancel()
            self._question = None
            session.default_buffer.reset(question.kept)
            session.app.invalidate()

    def _ready(self, question: _Question) -> None:
        # Keys that are read already were thrown away one by one; these have not been read.
        if sys.stdin.isatty():
            drop_input(sys.stdin.fileno())
        if self._lines is not None:
            self._lines.default_buffer.reset()
        question.ready = True
        self.redraw()

    def _answer(self, text: str | None) -> None:
        if self._question is not None and not self._question.answer.done():
            self._question.answer.set_result(text)

    @staticmethod
    def _leave_search(session: PromptSession[str]) -> None:
        from prompt_toolkit.search import stop_search

        if session.app.layout.is_searching:
            stop_search()
        session.default_buffer.cancel_completion()


@contextlib.contextmanager
def keys_not_shown() -> Iterator[None]:
    """While no input line is open, typed keys wait unseen instead of landing in the middle of the output."""
    if termios is None or not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[0] &= ~termios.ICRNL  # Enter stays what an input line takes for Enter
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)

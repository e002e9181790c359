"""Output that goes above the line being typed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.output import Output

_BUNDLE_SECONDS = 0.01
"""Pieces that come this close together are written at once: the input line is drawn anew only once for all of them."""
_EDITOR_SECONDS = 0.2


class AboveLine:
    """A text file whose lines appear above the input line; what is half typed there survives.

    Only whole lines are written while the input line stands: the rest of a line waits for its end.

    Args:
        application: draws the input line.
        output: the terminal.
        loop: where the application runs. Other threads may write too.
    """

    def __init__(self, application: Application[Any], output: Output, loop: asyncio.AbstractEventLoop) -> None:
        self._application = application
        self._output = output
        self._loop = loop
        self._held = ""
        self._scheduled = False

    def write(self, text: str) -> int:
        """Write text; it is seen when its line has ended."""
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._add(text)
        else:
            self._loop.call_soon_threadsafe(self._add, text)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: lines are written as soon as they have ended."""

    def drain(self) -> None:
        """Write everything now, the unfinished line too."""
        self._draw(len(self._held), last=True)

    def isatty(self) -> bool:
        """True: it ends on a terminal."""
        return True

    def fileno(self) -> int:
        """The terminal's file descriptor."""
        return self._output.fileno()

    @property
    def encoding(self) -> str:
        """The terminal's encoding."""
        return self._output.encoding()

    @property
    def errors(self) -> str:
        """What becomes of a character that the terminal has not: a question mark."""
        return "replace"

    def _add(self, text: str) -> None:
        self._held += text
        if "\n" in text and not self._scheduled:
            self._scheduled = True
            self._loop.call_later(_BUNDLE_SECONDS, self._draw_lines)

    def _draw_lines(self) -> None:
        self._scheduled = False
        self._draw(self._held.rfind("\n") + 1)

    def _draw(self, length: int, *, last: bool = False) -> None:
        if not length:
            return
        application = self._application
        if application._running_in_terminal and not last:  # noqa: SLF001 - an editor has the terminal; nothing tells otherwise
            self._scheduled = True
            self._loop.call_later(_EDITOR_SECONDS, self._draw_lines)
            return
        text, self._held = self._held[:length], self._held[length:]
        drawn = application.is_running and not application.is_done
        if drawn:
            application.renderer.erase(leave_alternate_screen=False)
        self._output.write_raw(text)
        self._output.flush()
        if drawn:
            application.invalidate()


@contextmanager
def above_line(application: Application[Any], output: Output) -> Iterator[AboveLine]:
    """While the body runs, ``sys.stdout`` and ``sys.stderr`` write above the application's input line."""
    file = AboveLine(application, output, asyncio.get_running_loop())
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = cast("TextIO", file)
    try:
        yield file
    finally:
        sys.stdout, sys.stderr = before
        file.drain()

"""Output while a prompt stands in the last line of a terminal that can do no more than lines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

_PAUSE_SECONDS = 0.1
"""Lines that come this close together have one prompt below them, not one each."""


class BelowPrompt:
    """A text file that begins below the prompt, and puts the prompt below what was written.

    What was typed so far is still with the terminal, which cannot be asked to show it again.

    Args:
        stream: the terminal.
        prompt: what stands in its last line.
    """

    def __init__(self, stream: TextIO, prompt: str) -> None:
        self._stream = stream
        self._prompt = prompt
        self._stands = True
        self._ends_line = True
        self._timer: asyncio.TimerHandle | None = None

    def write(self, text: str) -> int:
        """Write text below the prompt."""
        if not text:
            return 0
        if self._stands:
            self._stream.write("\n")
            self._stands = False
        self._ends_line = text.endswith("\n")
        self._stream.write(text)
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._again)
        return len(text)

    def flush(self) -> None:
        """Let what was written be seen."""
        self._stream.flush()

    def isatty(self) -> bool:
        """True: it ends on a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The terminal's file descriptor."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        """The terminal's encoding."""
        return self._stream.encoding

    def stop(self) -> None:
        """Put no prompt below what was written last."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        self._timer = None
        if self._ends_line:
            self._stands = True
            self._stream.write(self._prompt)
            self._stream.flush()


@contextmanager
def below_prompt(prompt: str) -> Iterator[None]:
    """While the body runs, ``sys.stdout`` and ``sys.stderr`` write below a prompt that was just shown."""
    before = sys.stdout, sys.stderr
    if before[0] is None or not before[0].isatty():
        yield
        return
    file = BelowPrompt(before[0], prompt)
    sys.stdout = sys.stderr = cast("TextIO", file)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        file.stop()

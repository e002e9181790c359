"""Where the bytes go: standard output or standard error, whatever stands behind them at the moment."""

from __future__ import annotations

import errno
import os
import sys
from typing import Literal, TextIO, cast

from family_food.terminal.display.symbols import encodable
from family_food.terminal.problem import ChatProblem

_GONE = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO}
_COLUMNS, _LEAST_COLUMNS = 80, 10


class Output:
    """A text stream that never fails on a character, and fails in one way only when its reader is gone.

    Args:
        name: which stream of ``sys`` is written to. It is looked up each time: an input line replaces it while it is open.
    """

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name

    @property
    def _stream(self) -> TextIO | None:
        return cast("TextIO | None", getattr(sys, self._name))

    @property
    def encoding(self) -> str:
        """What characters are encoded with; UTF-8 when nobody knows."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def columns(self) -> int:
        """How wide the terminal is now. Asked each time, for it can be resized."""
        try:
            columns = os.get_terminal_size(self.fileno()).columns
        except (OSError, ValueError, AttributeError):
            columns = 0
        return max(columns or _COLUMNS, _LEAST_COLUMNS)

    def isatty(self) -> bool:
        """True for a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:  # closed
            return False

    def fileno(self) -> int:
        """The file descriptor.

        Raises:
            OSError: there is none.
        """
        if self._stream is None:
            raise OSError(errno.EBADF, "closed")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text and flush it.

        Raises:
            BrokenPipeError: whoever read standard output is gone. Standard error is given up silently.
            ChatProblem: standard output takes no more, such as a full disk.
        """
        stream = self._stream
        if stream is None or not text:
            return len(text)
        try:
            stream.write(encodable(text, self.encoding))
            stream.flush()
        except (OSError, ValueError) as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: every write is flushed."""

    def _failed(self, error: OSError | ValueError) -> None:
        if self._name == "stderr":
            return
        number = error.errno if isinstance(error, OSError) else errno.EBADF
        if number in _GONE:
            raise BrokenPipeError(errno.EPIPE, "standard output is closed") from error
        raise ChatProblem(f"The output cannot be written: {os.strerror(number or 0)}.") from error

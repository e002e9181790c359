"""What was typed before, in a file of the person's own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.history import History

MOST_LINES = 2000
_MOST_BYTES = 1_000_000
# Three long base64url words with dots between them: a token.
_TOKEN = re.compile(r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|\bBearer\s+\S", re.IGNORECASE)


def is_remembered(line: str) -> bool:
    """Whether a line belongs in a history: not empty, not begun with a space, no log-in, nothing like a token."""
    return bool(line.strip()) and not line[0].isspace() and not line.startswith("/login") and not _TOKEN.search(line)


class HistoryFile:
    """Entries as prompt_toolkit's FileHistory writes them: ``# time``, then each line behind a ``+``.

    A file that cannot be read or written is no reason not to chat: then only this run is remembered.

    Args:
        path: the file; its folder is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[str]:
        """The newest :data:`MOST_LINES` entries, oldest first."""
        try:
            with self._path.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _MOST_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        entries: list[str] = []
        lines: list[str] = []
        for line in [*text.split("\n"), ""]:
            if line.startswith("+"):
                lines.append(line[1:])
            elif lines:
                entries.append("\n".join(lines))
                lines = []
        return [entry for entry in entries if is_remembered(entry)][-MOST_LINES:]

    def add(self, entry: str) -> None:
        """Write an entry behind the others; several programs may do so at once."""
        when = datetime.now().astimezone().isoformat(" ", "seconds")
        text = f"\n# {when}\n" + "".join(f"+{line}\n" for line in entry.split("\n"))
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Nobody else reads it, and no link leads the words elsewhere.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(self._path, flags, 0o600)
            try:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o600)
                os.write(descriptor, text.encode("utf-8", "replace"))
            finally:
                os.close(descriptor)


def open_history(path: Path) -> History:
    """The history of the input line, kept in a file."""
    from prompt_toolkit.history import History

    class Kept(History):
        def __init__(self, file: HistoryFile) -> None:
            super().__init__()
            self._file = file

        def append_string(self, string: str) -> None:
            newest = self.get_strings()[-1:] if self._loaded else []
            if is_remembered(string) and newest != [string]:
                super().append_string(string)

        def load_history_strings(self) -> Iterable[str]:
            return reversed(self._file.read())

        def store_string(self, string: str) -> None:
            self._file.add(string)

    return Kept(HistoryFile(path))

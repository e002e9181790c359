"""The place of an SQLite database: whether the path still names the file that is open, and what is there instead.

A connection holds a file, not a name. Where the file is deleted or another is put in its place, it goes on with the old one,
and what it commits is on no disk that the settings name. So the files are compared with those that were opened: before
and after each durable commit, and every quarter of a second besides.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from permit_core.database_errors import FileMoved

Files = tuple[tuple[int, int] | None, ...]
"""Device and number of the database's file and of its log; None for one that is not there."""

SUFFIXES = ("", "-wal")
LOOK_AGAIN_SECONDS = 0.25
"""How long a file is relied on to be in its place by what confirms nothing."""

SCHEMA = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
LOOK_SECONDS = 10.0


class Place:
    """Which file is open.

    Args:
        path: of the database; None for one that has no path of its own, which is never found moved.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._names = [] if path is None else [path + suffix for suffix in SUFFIXES]
        self._opened: Files | None = None
        self._in_place_until = 0.0

    def now(self) -> Files:
        """What the path names at this moment."""
        return tuple(_identity(name) for name in self._names)

    def opened(self, before: Files) -> None:
        """Take note of what was opened by the first connection; a later one must have opened the same.

        Args:
            before: what the path named before it was opened.

        Raises:
            FileMoved: it was another file, or is one now.
        """
        files = self.now()
        made = before[0] is None
        if (not made and files[0] != before[0]) or (self._opened is not None and files != self._opened):
            raise FileMoved(self.difference())
        self._opened = files

    def forget(self) -> None:
        """Every connection is closed: the next one may open what is there then."""
        self._opened = None

    @property
    def moved(self) -> bool:
        """Whether a file was opened that the path does not name any more, as far as was looked lately."""
        now = time.monotonic()
        if now < self._in_place_until:
            return False
        if self._opened is not None and self.now() != self._opened:
            return True
        self._in_place_until = now + LOOK_AGAIN_SECONDS
        return False

    def check(self) -> None:
        """Make sure that it is not.

        Raises:
            FileMoved: it is; nothing was done.
        """
        if self._opened is not None and self.now() != self._opened:
            self._in_place_until = 0.0
            raise FileMoved(self.difference())

    def check_committed(self) -> None:
        """Make sure that what was just committed is in the file that the path names.

        Raises:
            FileMoved: it may not be.
        """
        if self._opened is not None and self.now() != self._opened:
            self._in_place_until = 0.0
            raise FileMoved(self.difference(), "unknown")

    def difference(self) -> str:
        """What the path names instead, and what to do about it."""
        now, opened = self.now(), self._opened or (None, None)
        if now[0] is None:
            return "the file is not there any more; put it back, or stop this program and start it again"
        if now[0] == opened[0]:
            return f"{self.path}-wal was taken away while in use; stop every program that uses it, then start again"
        if _log_is_old(now, opened):
            return (
                "another file is in its place, with the log of the old one beside it; "
                f"delete {self.path}-wal and {self.path}-shm, or put the old file back"
            )
        return "another file is in its place"

    @property
    def has_another(self) -> bool:
        """Whether another database may be in the place: a file of its own, without the log of the old one."""
        now, opened = self.now(), self._opened or (None, None)
        return now[0] is not None and now[0] != opened[0] and not _log_is_old(now, opened)


async def schema_in(path: str) -> list[tuple[str, str]] | None:
    """The schema of whatever is at a path, by a connection of its own; None when that is no database."""
    # Only when something was found wrong: the library is not imported by a process that finds everything right.
    import aiosqlite

    try:
        async with aiosqlite.connect(_uri(path), uri=True, timeout=LOOK_SECONDS) as look:
            return [(str(name), str(sql)) for name, sql in await look.execute_fetchall(SCHEMA)]
    except sqlite3.Error:
        return None


def obstacle(path: str) -> str:
    """Why the file at a path cannot be opened or written, as far as the system says; empty when it does not."""
    file, folder = Path(path), Path(path).absolute().parent
    if not folder.is_dir():
        return f"the folder {folder} is not there"
    if file.is_dir():
        return f"{path} is a folder"
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        return f"this user may not read and write {path}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not make files in {folder}, which SQLite has to"
    return ""


def _uri(path: str) -> str:
    return f"{Path(path).absolute().as_uri()}?mode=rw"  # which makes no file


def _log_is_old(now: Files, opened: Files) -> bool:
    return any(new is not None and new == old for new, old in zip(now[1:], opened[1:], strict=True))


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - a few for each commit: no objects are made of it
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""The way out of a session: frames in order, to at most one window, kept for the one that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from family_food.chat.frame_log import FrameLog, LoggedFrame
from family_food.chat.protocol import ServerFrameModel, TurnEnd, TurnStart

QUEUE_FRAMES = 256
QUEUE_BYTES = 1024 * 1024
SLOW_SECONDS = 20.0
"""How long a window may be this far behind before it counts as too slow."""


@dataclass(eq=False, slots=True)
class Bookmark:
    """How far a window has come.

    Attributes:
        seq: the last frame it has, or does not want.
        total: characters of all frames up to there.
        missed: frames before ``seq`` were lost to its client.
    """

    seq: int
    total: int
    missed: bool = False


class Outgoing:
    """Numbers frames, keeps the last ones, and hands them to the window that has the session.

    Without a window nothing waits: what is too old is forgotten. With one, senders wait while it is far behind.

    Args:
        slow_seconds: how long they wait before the window is given up.

    Attributes:
        turn: the number of the turn whose start has gone out and whose end has not.
    """

    def __init__(self, slow_seconds: float = SLOW_SECONDS) -> None:
        self._slow_seconds = slow_seconds
        self._log = FrameLog()
        self._reader: Bookmark | None = None
        self._give_up: Callable[[], None] | None = None
        self._changed: asyncio.Event | None = None  # there only while somebody waits for it
        self._sent = 0
        self._before_turn = 0
        self._awaited: dict[int, asyncio.Future[bool]] = {}
        self._hurried = False
        self.turn: int | None = None

    @property
    def last(self) -> int:
        """The number of the newest frame."""
        return self._log.last

    @property
    def shown(self) -> bool:
        """Whether there is a window."""
        return self._reader is not None

    # The session's side

    async def send(self, frame: ServerFrameModel) -> int:
        """Put a frame in line, once there is room; answers its number.

        The wait is what slows a turn down to its reader's pace.
        """
        await self.room()
        return self.put(frame)

    def put(self, frame: ServerFrameModel) -> int:
        """Put a frame in line at once; answers its number. For what must not wait, and cannot become many."""
        if isinstance(frame, TurnStart):
            self.turn, self._before_turn = frame.turn, self._log.last
        elif isinstance(frame, TurnEnd):
            self.turn = None
        unsent = self._reader.seq if self._reader else None
        logged = self._log.add(frame, asyncio.get_running_loop().time(), unsent)
        self._tell()
        return logged.seq

    async def room(self) -> None:
        """Wait while the window is far behind; one that does not get on is given up."""
        reader = self._reader
        if reader is None or not self._behind(reader):
            return
        try:
            async with asyncio.timeout(self._slow_seconds):
                while self._reader is reader and self._behind(reader) and not self._hurried:
                    await self._change()
        except TimeoutError:
            if self._reader is reader and self._give_up is not None:
                self._give_up()
                self.detach(reader)

    def hurry(self) -> None:
        """Let nobody wait for room any more: the session ends."""
        self._hurried = True
        self._tell()

    async def delivered(self, seq: int) -> bool:
        """Wait until a window has written this frame: True; False when it was passed over and never will be."""
        if seq <= self._sent:
            return True
        answer = self._awaited.setdefault(seq, asyncio.get_running_loop().create_future())
        try:
            return await asyncio.shield(answer)
        finally:
            if not answer.done():
                self._awaited.pop(seq, None)

    # The window's side

    def attach(self, after: int | None, give_up: Callable[[], None]) -> Bookmark:
        """Let a window have what comes, in place of the one before.

        Args:
            after: the last frame its client had. None, or a number that this session has not reached since it was read
                from the database: the client wants the turn that runs.
            give_up: called when the window is too slow; it is detached then.
        """
        log = self._log
        begin = self._before_turn if self.turn is not None else log.last
        wanted = begin if after is None or after > log.last else after
        missed = wanted < log.first - 1
        start = max(wanted, log.first - 1)
        self._reader = Bookmark(start, log.total_at(start), missed)
        self._give_up = give_up
        for seq in [seq for seq in self._awaited if seq <= start]:
            self._awaited.pop(seq).set_result(False)
        self._tell()
        return self._reader

    def detach(self, reader: Bookmark) -> None:
        """This window takes nothing any more."""
        if self._reader is reader:
            self._reader = self._give_up = None
            self._tell()

    async def next(self, reader: Bookmark) -> LoggedFrame:
        """The frame that the window is to write now; waits for it, for ever once the window is not the one."""
        while True:
            if self._reader is reader and (logged := self._log.after(reader.seq)) is not None:
                return logged
            await self._change()

    def wrote(self, reader: Bookmark, logged: LoggedFrame) -> None:
        """The window has written a frame to its socket."""
        reader.seq, reader.total = logged.seq, logged.total
        self._sent = max(self._sent, logged.seq)
        if (answer := self._awaited.pop(logged.seq, None)) is not None and not answer.done():
            answer.set_result(True)
        self._tell()

    async def drained(self, reader: Bookmark, seconds: float) -> bool:
        """Whether this window wrote everything there is within this time."""
        try:
            async with asyncio.timeout(seconds):
                while self._reader is reader and reader.seq < self._log.last:
                    await self._change()
        except TimeoutError:
            return False
        return reader.seq >= self._log.last

    def _behind(self, reader: Bookmark) -> bool:
        log = self._log
        return log.last - reader.seq >= QUEUE_FRAMES or log.total - reader.total >= QUEUE_BYTES

    def _tell(self) -> None:
        """Wake everybody who waits for a change; who waits from now on waits for the next one."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        await self._changed.wait()

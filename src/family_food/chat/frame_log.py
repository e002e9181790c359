"""The last frames of a session, numbered and ready to be sent again to a client that was away."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass

from family_food.chat.protocol import Confirm, HistoryUpdate, ServerFrameModel

MAX_FRAMES = 4096
MAX_BYTES = 4 * 1024 * 1024

_UNNUMBERED = '{"seq":null,'
"""How every frame begins that has no number yet. It is put in here: a frame is turned into text once."""


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """A frame as it travels.

    Attributes:
        seq: its number in the session.
        text: JSON.
        total: characters of all frames of the session up to this one.
        lapses: for a question, when its time is over, in seconds of ``at``'s clock; else None.
        history: whether it is a copy of the conversation, which not every client wants.
    """

    seq: int
    text: str
    total: int
    lapses: float | None
    history: bool

    def told(self, now: float, *, history: bool = True) -> str:
        """The text as it is sent at ``now``: a question that is told again has less time left.

        Args:
            now: seconds of the clock that ``add`` was given.
            history: False for a client that wants no copy of the conversation.
        """
        if self.history and not history:
            return HistoryUpdate(seq=self.seq, content=[]).model_dump_json()
        if self.lapses is None:
            return self.text
        return json.dumps({**json.loads(self.text), "expires_in": max(0.0, round(self.lapses - now, 1))})


class FrameLog:
    """Frames 1, 2, ... of which the newest are kept; never fewer than are still to be sent.

    Attributes:
        last: the number of the newest frame; 0 before the first.
        total: characters of all frames there were.
    """

    def __init__(self, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[LoggedFrame] = deque()
        self._size = 0
        self.last = 0
        self.total = 0

    @property
    def first(self) -> int:
        """The number of the oldest frame that is kept; that of the next one when there is none."""
        return self._frames[0].seq if self._frames else self.last + 1

    def add(self, frame: ServerFrameModel, now: float, unsent: int | None = None) -> LoggedFrame:
        """Number a frame and keep it.

        Args:
            frame: has no number yet.
            now: seconds of any one clock.
            unsent: what comes after this number is still to be sent, and is not forgotten; None: nobody waits.

        Raises:
            ValueError: the frame has a number.
        """
        self.last += 1
        text = frame.model_dump_json()
        if not text.startswith(_UNNUMBERED):
            raise ValueError("a frame is numbered once")
        text = f'{{"seq":{self.last},{text[len(_UNNUMBERED) :]}'
        self.total += len(text)
        self._size += len(text)
        lapses = now + frame.expires_in if isinstance(frame, Confirm) else None
        logged = LoggedFrame(self.last, text, self.total, lapses, isinstance(frame, HistoryUpdate))
        self._frames.append(logged)
        while len(self._frames) > 1 and (len(self._frames) > self._max_frames or self._size > self._max_bytes):
            if unsent is not None and self._frames[0].seq > unsent:
                break
            self._size -= len(self._frames.popleft().text)
        return logged

    def after(self, seq: int) -> LoggedFrame | None:
        """The frame that follows that number; None when it is not there (yet, or any more)."""
        index = seq + 1 - self.first
        return self._frames[index] if 0 <= index < len(self._frames) else None

    def total_at(self, seq: int) -> int:
        """Characters of all frames up to that number, as far as they are kept."""
        following = self.after(seq)
        return self.total if following is None else following.total - len(following.text)

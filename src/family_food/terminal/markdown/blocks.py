"""Markdown cut into blocks while it still arrives, each to be shown once it is finished and never again.

Work grows with the length of the text, not with the number of pieces it comes in, and the blocks are the same however it
was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from family_food.terminal.markdown import lines

SOFT_CHARS = 400
"""A paragraph longer than this is shown up to the next end of a sentence."""

HARD_CHARS = 1200
"""A paragraph is never held for longer than this."""

_LONGEST_FENCE = 40  # with its language
LONG_LIST_CHARS = 600
"""A list longer than this is shown item by item."""

LONGEST_CHARS = 3000
"""No block is held for longer than this, and no line."""


@dataclass(frozen=True, slots=True)
class Block:
    """A finished block.

    Attributes:
        text: Markdown.
        continues: it goes on with the block before it, so no blank line belongs between them.
        number: of the first item of a numbered list that goes on.
    """

    text: str
    continues: bool = False
    number: int | None = None


class _Kind(Enum):
    NONE = auto()
    PARAGRAPH = auto()
    TABLE = auto()
    QUOTE = auto()
    LIST = auto()
    INDENTED = auto()
    FENCE = auto()


class BlockSplitter:
    """Takes text in pieces and gives blocks back."""

    def __init__(self) -> None:
        self._done: list[Block] = []
        self._line = ""  # the line that has not ended
        self._mid = False  # it began in the middle of a paragraph
        self._searched = 0  # how far it was searched for a place to cut
        self._fence = ""  # what a code block began with, and its first line
        self._first_line = ""
        self._sign = ""  # of a list: its marker, the number of the first item held, and how many are held
        self._number: int | None = None
        self._items = 0
        self._open()

    def _open(self, kind: _Kind = _Kind.NONE, *, continues: bool = False) -> None:
        """Forget the lines of the block before; another begins."""
        self._kind = kind
        self._lines: list[str] = []
        self._size = 0
        self._continues = continues
        if not continues:
            self._fence, self._first_line = "", ""
            self._sign, self._number, self._items = "", None, 0

    @property
    def held(self) -> str:
        """The end of what has arrived and is not in any block yet."""
        return f"{self._lines[-1] if self._lines else ''} {self._line}"

    @property
    def empty(self) -> bool:
        """True when nothing is held."""
        return not (self._lines or self._line.strip())

    def add(self, text: str) -> list[Block]:
        """Take more text; returns the blocks that are finished by it."""
        *ended, rest = text.split("\n")
        for piece in ended:
            self._grow(piece)
            self._end_line()
        self._grow(rest)
        return self._take_done()

    def end(self) -> list[Block]:
        """The text is over; returns what was held."""
        if self._line:
            self._end_line()
        self._close()
        self._mid = False
        return self._take_done()

    def _take_done(self) -> list[Block]:
        done, self._done = self._done, []
        return done

    def _grow(self, piece: str) -> None:
        # In bounded steps: a line that never ends is cut here and there, and each step copies no more than the line.
        for start in range(0, len(piece), LONGEST_CHARS):
            self._line += piece[start : start + LONGEST_CHARS]
            while self._cut_paragraph() or self._cut_line():
                pass

    # A line that has not ended

    def _cut_paragraph(self) -> bool:
        """Finish a piece of a long paragraph in the middle of a line; False when there is no place for it yet."""
        if self._size + len(self._line) <= SOFT_CHARS or not self._in_words():
            return False
        limit = max(1, HARD_CHARS - self._size)
        start = max(self._searched, SOFT_CHARS - self._size, 0)
        for place in lines.sentence_ends(self._line, start, min(limit, len(self._line))):
            if lines.is_whole("\n".join([*self._lines, self._line[:place]])):
                return self._cut_at(place)
        if len(self._line) < limit:
            self._searched = max(start, len(self._line) - lines.LONGEST_SENTENCE_END)
            return False
        space = self._line.rfind(" ", 0, limit)
        return self._cut_at(space if space > 0 else limit)

    def _in_words(self) -> bool:
        """Whether the line goes on with a paragraph, as far as its beginning tells."""
        if self._kind not in (_Kind.NONE, _Kind.PARAGRAPH) or (self._lines or [self._line])[0].lstrip().startswith("|"):
            return False
        if self._mid:
            return True
        start = lines.start_of(self._line)
        if self._kind is _Kind.PARAGRAPH:
            return start in (lines.Start.TEXT, lines.Start.INDENTED) or not self._interrupts(start, self._line)
        return start is lines.Start.TEXT

    def _cut_at(self, place: int) -> bool:
        head, rest = self._line[:place], self._line[place:]
        self._put(head, _Kind.PARAGRAPH)
        self._close(goes_on=True)
        self._line, self._mid, self._searched = rest, True, 0
        return True

    def _cut_line(self) -> bool:
        """End a line that is too long to be held, whatever it belongs to."""
        if len(self._line) < LONGEST_CHARS:
            return False
        rest = self._line[LONGEST_CHARS:]
        self._line = self._line[:LONGEST_CHARS]
        self._end_line()
        self._line, self._mid = rest, self._kind is not _Kind.FENCE
        return True

    # A line that has ended

    def _end_line(self) -> None:
        line, mid = self._line, self._mid
        self._line, self._mid, self._searched = "", False, 0
        if self._kind is _Kind.FENCE:
            self._in_fence(line)
        elif mid:
            self._rest_of_line(line)
        elif not line.strip():
            self._blank()
        elif self._kind is not _Kind.LIST or not self._in_list(line):
            self._begin_or_go_on(line, lines.start_of(line))

    def _rest_of_line(self, line: str) -> None:
        """Take a line whose beginning was shown already; it can begin nothing else."""
        if line.strip():
            before = {_Kind.LIST: "   ", _Kind.QUOTE: "> ", _Kind.INDENTED: "    "}.get(self._kind, "")
            kind = _Kind.PARAGRAPH if self._kind is _Kind.NONE else self._kind
            self._put(before + lines.as_text(line), kind)
            self._end_long()

    def _blank(self) -> None:
        if self._kind in (_Kind.LIST, _Kind.INDENTED):
            self._lines.append("")
        elif self._kind is not _Kind.NONE:
            self._close()

    def _in_fence(self, line: str) -> None:
        if lines.closes(line, self._fence):
            self._lines.append(line)
            self._close()
            return
        self._put(line, _Kind.FENCE)
        if self._size >= LONGEST_CHARS:
            self._lines.append(self._fence)
            self._close(goes_on=True)
            # A language is said again, whatever else stands there is not.
            self._lines.append(self._first_line if len(self._first_line) <= _LONGEST_FENCE else self._fence)

    def _in_list(self, line: str) -> bool:
        """Take a line into the open list; False when it ends the list."""
        indent, marker = lines.indent_of(line), lines.marker_of(line)
        if indent < 2 and marker is not None:
            if marker.sign != self._sign:
                return False
            if self._size >= LONG_LIST_CHARS:
                self._close(goes_on=True)
            self._items += 1
        elif indent < 2 and (not self._lines[-1] or self._interrupts(lines.start_of(line), line)):
            return False
        self._put(line, _Kind.LIST)
        if self._size >= LONGEST_CHARS:
            self._close(goes_on=True)
            self._kind = _Kind.NONE  # what follows is taken for what it looks like
        return True

    def _interrupts(self, start: lines.Start, line: str) -> bool:
        """Whether a line ends the paragraph before it."""
        if start is lines.Start.ITEM:
            marker = lines.marker_of(line)
            return marker is not None and not marker.empty and marker.number in (None, 1)
        if start is lines.Start.RULE and self._kind is _Kind.PARAGRAPH and lines.is_underline(line):
            return False
        return start not in (lines.Start.TEXT, lines.Start.INDENTED)

    def _begin_or_go_on(self, line: str, start: lines.Start) -> None:
        if self._goes_on(line, start):
            self._go_on(line)
            return
        self._close()
        match start:
            case lines.Start.FENCE:
                self._fence, self._first_line = lines.fence_of(line), line
                self._put(line, _Kind.FENCE)
            case lines.Start.HEADING | lines.Start.RULE:
                self._put(line, _Kind.PARAGRAPH)
                self._close()
            case lines.Start.ITEM:
                marker = lines.marker_of(line)
                if marker is not None:
                    self._sign, self._number, self._items = marker.sign, marker.number, 1
                self._put(line, _Kind.LIST)
            case lines.Start.QUOTE:
                self._put(line, _Kind.QUOTE)
            case lines.Start.INDENTED:
                self._put(line, _Kind.INDENTED)
            case _:
                self._put(line, _Kind.PARAGRAPH)
        self._end_long()

    def _goes_on(self, line: str, start: lines.Start) -> bool:
        match self._kind:
            case _Kind.PARAGRAPH:
                return not self._interrupts(start, line)
            case _Kind.TABLE:
                return start is lines.Start.TEXT
            case _Kind.QUOTE:
                return start is lines.Start.QUOTE or not self._interrupts(start, line)
            case _Kind.INDENTED:
                return start is lines.Start.INDENTED
            case _:
                return False

    def _go_on(self, line: str) -> None:
        above = self._lines[-1] if self._lines else ""
        if self._kind is _Kind.QUOTE and not self._lines and not line.lstrip().startswith(">"):
            line = f"> {line}"
        self._put(line, self._kind)
        if self._kind is _Kind.PARAGRAPH:
            if lines.is_delimiter_row(line) and "|" in above:
                self._kind = _Kind.TABLE
            elif above and lines.is_underline(line):
                self._close()
        self._end_long()

    def _end_long(self) -> None:
        """Finish a piece of a block that has become long, at the end of a line."""
        if self._kind is _Kind.PARAGRAPH:
            if self._size >= HARD_CHARS or (self._size > SOFT_CHARS and self._ends_well()):
                self._close(goes_on=True)
        elif self._size >= LONGEST_CHARS:
            header = self._lines[:2] if self._kind is _Kind.TABLE else []
            self._close(goes_on=True)
            self._lines += header

    def _ends_well(self) -> bool:
        """Whether a paragraph can be cut here: a sentence ends, no markup is open, and it may not become a table."""
        return (
            not self._lines[0].lstrip().startswith("|")
            and lines.ends_a_sentence(self._lines[-1])
            and lines.is_whole("\n".join(self._lines))
        )

    # Blocks

    def _put(self, line: str, kind: _Kind) -> None:
        self._kind = kind
        self._lines.append(line)
        self._size += len(line) + 1

    def _close(self, *, goes_on: bool = False) -> None:
        """Finish the open block. When it goes on, what follows belongs to it."""
        kind, text = self._kind, "\n".join(self._lines).rstrip()
        if kind is _Kind.PARAGRAPH:
            text = lines.as_text(text) if self._continues else text.lstrip()
        number = self._number if kind is _Kind.LIST and self._continues else None
        if self._size and text.strip():  # else nothing but what is repeated at the head of each piece
            self._done.append(Block(text, self._continues, number))
        if self._number is not None:
            self._number += self._items
        self._items = 0
        self._open(kind if goes_on else _Kind.NONE, continues=goes_on)

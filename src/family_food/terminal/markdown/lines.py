"""What one line of Markdown is, looked at alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_RULE = re.compile(r" {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)\s*$")
_ITEM = re.compile(r"( *)([-+*]|(\d{1,9})[.)])(?:\s+(?=\S)|\s*$)")
_DELIMITERS = re.compile(r" {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_STARTS = re.compile(r"(?:[-+*>#|=_~`]|\d{1,9}[.)])")

_WORD_END = r"(?<=[^\W\d_]{2})"
_SENTENCE_END = re.compile(_WORD_END + r"[.!?…:;]{1,3}[\"'”’)\]*_`]{0,4}(?=\s)|[。！？](?=.)")  # noqa: RUF001
_LINE_END = re.compile(r"[.!?…:;。！？][\"'”’)\]*_`]{0,4}\s*$")  # noqa: RUF001
LONGEST_SENTENCE_END = 8


class Start(Enum):
    """What begins with a line."""

    BLANK = auto()
    FENCE = auto()
    HEADING = auto()
    RULE = auto()
    QUOTE = auto()
    ITEM = auto()
    INDENTED = auto()
    TEXT = auto()


_CODE_INDENT = 4
_PATTERNS = (
    (Start.FENCE, _FENCE),
    (Start.HEADING, _HEADING),
    (Start.RULE, _RULE),
    (Start.QUOTE, re.compile(r" {0,3}>")),
    (Start.ITEM, _ITEM),
)


def start_of(line: str) -> Start:
    """What begins with this line, when nothing is open before it."""
    if not line.strip():
        return Start.BLANK
    if indent_of(line) >= _CODE_INDENT:
        return Start.INDENTED
    return next((start for start, pattern in _PATTERNS if pattern.match(line)), Start.TEXT)


def indent_of(line: str) -> int:
    """Columns of white space before the first character."""
    return len(line) - len(line.lstrip(" "))


def fence_of(line: str) -> str:
    """The run of backticks or tildes that a code block begins with; empty when the line does not."""
    match = _FENCE.match(line)
    return match.group(1) if match else ""


def closes(line: str, fence: str) -> bool:
    """Whether the line ends the code block that began with ``fence``."""
    stripped = line.strip()
    return indent_of(line) < _CODE_INDENT and len(stripped) >= len(fence) and stripped == fence[0] * len(stripped)


@dataclass(frozen=True, slots=True)
class Marker:
    """What stands before an item of a list: ``-``, ``+``, ``*``, ``.`` or ``)``; the number of a numbered one."""

    sign: str
    number: int | None
    empty: bool


def marker_of(line: str) -> Marker | None:
    """The marker of a list item, or None."""
    match = _ITEM.match(line)
    if match is None or _RULE.match(line):
        return None
    number = match.group(3)
    return Marker(match.group(2)[-1], int(number) if number else None, empty=match.end() == len(line))


def is_underline(line: str) -> bool:
    """Whether the line makes a heading of the paragraph above it."""
    return _UNDERLINE.match(line) is not None


def is_delimiter_row(line: str) -> bool:
    """Whether the line makes a table of the line above it."""
    return "|" in line and _DELIMITERS.match(line) is not None


def ends_a_sentence(line: str) -> bool:
    """Whether a sentence ends where the line does."""
    return _LINE_END.search(line) is not None


def sentence_ends(line: str, start: int, end: int) -> list[int]:
    """Where sentences end within ``line[start:end]``: places before white space."""
    return [match.end() for match in _SENTENCE_END.finditer(line, start) if match.end() < end]


def is_whole(text: str) -> bool:
    """Whether no emphasis, code or link is open at the end of the text."""
    return (
        text.count("`") % 2 == 0
        and text.count("*") % 2 == 0
        and text.count("**") % 2 == 0
        and text.count("~~") % 2 == 0
        and text.count("[") <= text.count("]")
        and text.rfind("](") <= text.rfind(")")
    )


def as_text(line: str) -> str:
    """A line that begins in the middle of a paragraph, so that it cannot be taken for the beginning of anything else."""
    line = line.lstrip(" ")
    match = _STARTS.match(line)
    if match is None:
        return line
    last = match.end() - 1
    return f"{line[:last]}\\{line[last:]}"

"""Lines broken by us, so that no terminal breaks them where it likes: what follows a break is indented."""

from __future__ import annotations

_LEAST_ROOM = 8


def cells(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, columns: int, indent: str = "  ") -> list[str]:
    """A line as several that fit, broken at blanks where there are any; all but the first are indented.

    Args:
        text: one line.
        columns: how wide it may be.
        indent: what stands before whatever follows a break.
    """
    if cells(text) <= columns:
        return [text]
    words = text.lstrip(" ")
    lines, line = [], text[: len(text) - len(words)][: columns // 2]
    for word in words.split(" "):
        joined = f"{line} {word}" if line.strip() else f"{line}{word}"
        if cells(joined) <= columns:
            line = joined
            continue
        if line.strip():
            lines.append(line)
            line = indent
        rest = word
        while len(rest) > columns or cells(line + rest) > columns:
            fitting = fitted(rest, max(columns - cells(line), _LEAST_ROOM))
            lines.append(line + fitting)
            rest, line = rest[len(fitting) :], indent
        line += rest
    return [*lines, line] if line.strip() else lines


def fitted(text: str, columns: int) -> str:
    """The beginning of a text that fits, at least one character of it."""
    end = min(len(text), max(columns, 1))
    while end > 1 and cells(text[:end]) > columns:
        end -= 1
    return text[:end]

"""A YAML document that knows the line of every key.

Only what JSON has is read: mappings with text keys, lists, text, numbers, ``true``/``false`` and ``null``. ``no`` and
``.nan`` are words and ``2026-01-01`` is a text. Anchors, aliases, tags and repeated keys are refused: each of them makes a
file mean something else than it seems to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from permit_core.errors import PolicyFileError

Path = tuple[str | int, ...]
"""Where something stands in a document: ``("set_rules", 0, "permission")``."""

MAX_BYTES = 5_000_000
MAX_DEPTH = 40
MAX_KEYS = 10_000
"""How many keys one mapping may have. Lists are as long as the file allows."""


def dotted(path: Path) -> str:
    """The path as people write it: ``set_rules.0.permission``."""
    return ".".join(str(part) for part in path)


@dataclass(frozen=True, slots=True)
class MarkedDocument:
    """A document and where its parts stand.

    Attributes:
        file: the file as it was named.
        value: the document as plain Python values.
        lines: the line, from 1, of every key and list item.
        ended: whether the document ends with the line ``...``, so that nothing was cut off behind it.
        last_line: the last line of the document.
    """

    file: str
    value: Any
    lines: Mapping[Path, int]
    ended: bool = False
    last_line: int | None = None

    def line(self, path: Path) -> int | None:
        """The line of ``path``, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def error(self, path: Path, expected: str) -> PolicyFileError:
        """An error at ``path``; the caller raises it."""
        return PolicyFileError(self.file, self.line(path), dotted(path), expected)


_Parser: Any = getattr(yaml, "CParser", None)  # libyaml is ten times as fast; without it the same in Python
if _Parser is None:  # pragma: no cover - every wheel of PyYAML has it

    class _Parser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[no-redef]
        def __init__(self, stream: str) -> None:
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_LONGEST_NUMBER = 64


def read_marked(path: str | FilePath, most_bytes: int = MAX_BYTES) -> MarkedDocument:
    """Read a file.

    Raises:
        PolicyFileError: the file cannot be read, is too long, is no UTF-8, or is not YAML of the plain kind described
            above.
    """
    return parse_marked(read_text(path, most_bytes), str(path))


def read_text(path: str | FilePath, most_bytes: int = MAX_BYTES) -> str:
    """The text of a file.

    Raises:
        PolicyFileError: the file cannot be read, is too long, or is no UTF-8.
    """
    file = str(path)
    try:
        with FilePath(path).open("rb") as stream:
            raw = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name cannot be used"
        raise PolicyFileError(file, None, "", f"expected a file that can be read ({reason})") from None
    if len(raw) > most_bytes:
        raise PolicyFileError(file, None, "", f"expected at most {most_bytes} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyFileError(file, line, "", "expected UTF-8 text") from None


def parse_marked(text: str, file: str) -> MarkedDocument:
    """Parse a document; ``file`` is only for errors.

    Raises:
        PolicyFileError: as :func:`read_marked`.
    """
    try:
        return _Reader(file, _Parser(text)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        raise PolicyFileError(file, line, "", _in_words(str(error.problem or error.context), column)) from None
    except yaml.YAMLError:
        raise PolicyFileError(file, None, "", "expected valid YAML: it has a character that YAML forbids") from None


_PROBLEMS = (
    ("mapping values are not allowed", "a text with ': ' in it stands in quotes, such as name: \"Title: more\""),
    (
        "cannot start any token",
        "spaces at the beginning of a line and no tab; a text that begins with @, ` or % in quotes",
    ),
    ("expected ',' or ']'", "a list that began with [ ends with ], with commas between its items"),
    ("expected ',' or '}'", "a mapping that began with { ends with }, with commas between its entries"),
    ("expected <block end>", "the lines of one mapping or list begin in the same column"),
    ("did not find expected key", "the lines of one mapping begin in the same column, each as key: value"),
    ("could not find expected ':'", "each line of a mapping is key: value"),
    ("end of stream", "a text that began with a quote ends with one"),
)


def _in_words(problem: str, column: int | None) -> str:
    said = next((words for part, words in _PROBLEMS if part in problem), problem)
    return f"expected valid YAML at column {column}: {said}" if column else f"expected valid YAML: {said}"


class _Reader:
    """Turns the events of a parser into values and notes their lines."""

    def __init__(self, file: str, parser: Any) -> None:
        self._file, self._next = file, parser.get_event
        self._lines: dict[Path, int] = {}

    def document(self) -> MarkedDocument:
        self._next()  # the stream begins
        begin = self._next()
        if isinstance(begin, yaml.StreamEndEvent):
            raise PolicyFileError(self._file, None, "", "expected a mapping, found an empty document")
        value = self._value(self._next(), ())
        end = self._next()
        more = self._next()
        if not isinstance(more, yaml.StreamEndEvent):
            raise self._error(more, (), "expected one document: nothing follows its end")
        return MarkedDocument(self._file, value, self._lines, bool(end.explicit), end.end_mark.line + 1)

    def _value(self, event: Any, path: Path) -> Any:
        self._lines.setdefault(path, event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, path, "expected a value written out: aliases are not allowed")
        if event.anchor is not None:
            raise self._error(event, path, "expected no anchor (&): write the value out where it is used")
        if event.tag is not None:
            raise self._error(event, path, "expected a plain value without a tag (!): quote a text that begins with !")
        if len(path) > MAX_DEPTH:
            raise self._error(event, path, f"expected at most {MAX_DEPTH} levels of nesting")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._list(path)

    def _list(self, path: Path) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            result.append(self._value(event, (*path, len(result))))
        return result

    def _mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._value(event, path) if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) else None
            if not isinstance(key, str):
                raise self._error(event, path, "expected a text as key; put it in quotes")
            below = (*path, key)
            if key in result:
                raise self._error(event, below, f"expected every key once; it stands in line {self._lines[below]}")
            if len(result) == MAX_KEYS:
                raise self._error(event, path, f"expected at most {MAX_KEYS} keys in one mapping")
            self._lines[below] = event.start_mark.line + 1
            result[key] = self._value(self._next(), below)
        return result

    def _scalar(self, event: Any, path: Path) -> Any:
        text = str(event.value)
        if not event.implicit[0]:  # in quotes, or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if len(text) > _LONGEST_NUMBER or not _NUMBER.match(text):
            if _NUMBER.match(text):
                raise self._error(event, path, f"expected a number of at most {_LONGEST_NUMBER} characters")
            return text
        number = int(text) if _INTEGER.match(text) else float(text)
        if not math.isfinite(number):
            raise self._error(event, path, "expected a number that is not too large")
        return number

    def _error(self, event: Any, path: Path, expected: str) -> PolicyFileError:
        return PolicyFileError(self._file, event.start_mark.line + 1, dotted(path), expected)

"""A YAML document that knows the line of every key.

Only what JSON has is read: mappings with text keys, lists, text, numbers, ``true``/``false`` and ``null``. ``no`` is a
word and ``2026-01-01`` a text. Anchors, aliases, tags, repeated keys and NaN are refused: each of them makes a file
mean something else than it seems to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from permit_core.errors import PolicyFileError

Path = tuple[str | int, ...]
"""Where something stands in a document: ``("set_rules", 0, "permission")``."""

MAX_BYTES = 5_000_000
MAX_DEPTH = 40


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
    """

    file: str
    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int | None:
        """The line of ``path``, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def error(self, path: Path, expected: str) -> PolicyFileError:
        """An error at ``path``; the caller raises it."""
        return PolicyFileError(self.file, self.line(path), dotted(path), expected)


class _JsonLoader(yaml.SafeLoader):
    """Resolves scalars as JSON does and refuses aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose, without aliases."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed; write the value out", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _resolve(tag: str, pattern: str, first: str) -> None:
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"(?:true|false)\Z", "tf")
_resolve("int", r"-?(?:0|[1-9][0-9]*)\Z", "-0123456789")
_resolve("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z", "-0123456789")
_JsonLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])


def read_marked(path: str | FilePath) -> MarkedDocument:
    """Read a file.

    Raises:
        PolicyFileError: the file cannot be read, is no UTF-8, or is not YAML of the plain kind described above.
    """
    file = str(path)
    try:
        with FilePath(path).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name cannot be used"
        raise PolicyFileError(file, None, "", f"expected a file that can be read ({reason})") from None
    if len(raw) > MAX_BYTES:
        raise PolicyFileError(file, None, "", f"expected at most {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyFileError(file, line, "", "expected UTF-8 text") from None
    return parse_marked(text, file)


def parse_marked(text: str, file: str) -> MarkedDocument:
    """Parse a document; ``file`` is only for errors.

    Raises:
        PolicyFileError: as :func:`read_marked`.
    """
    try:
        node = yaml.compose(text, Loader=_JsonLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PolicyFileError(
            file, mark.line + 1 if mark else None, "", f"expected valid YAML: {error.problem or error.context}"
        ) from None
    except yaml.YAMLError:
        raise PolicyFileError(file, None, "", "expected valid YAML: it has a character that YAML forbids") from None
    except RecursionError:
        raise PolicyFileError(file, None, "", f"expected at most {MAX_DEPTH} levels of nesting") from None
    if node is None:
        raise PolicyFileError(file, None, "", "expected a mapping, found an empty document")
    lines: dict[Path, int] = {}
    return MarkedDocument(file, _Reader(file, lines).value(node, ()), lines)


class _Reader:
    """Turns nodes into values and notes their lines."""

    def __init__(self, file: str, lines: dict[Path, int]) -> None:
        self._file, self._lines = file, lines

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > MAX_DEPTH:
            raise self._error(node, path, f"expected at most {MAX_DEPTH} levels of nesting")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != "tag:yaml.org,2002:str":
                raise self._error(key_node, path, "expected a text as key; put it in quotes")
            key = key_node.value
            below = (*path, key)
            if key in result:
                raise self._error(key_node, below, f"expected every key once; it stands in line {self._lines[below]}")
            self._lines[below] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, below)
        return result

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        text = str(node.value)
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text == "true"
        if kind in {"int", "float"} and len(text) <= 64:
            with suppress(ValueError):  # an explicit tag may stand before anything
                number = int(text) if kind == "int" else float(text)
                if math.isfinite(number):
                    return number
        raise self._error(node, path, "expected text, a number, true, false, null, a list or a mapping")

    def _error(self, node: yaml.Node, path: Path, expected: str) -> PolicyFileError:
        return PolicyFileError(self._file, node.start_mark.line + 1, dotted(path), expected)

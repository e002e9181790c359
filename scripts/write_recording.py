"""Record two real terminals on the real server and draw them: docs/recording.svg, which README.md shows.

Run as ``python -m scripts.write_recording``: the terminals are those of the tests.
"""

from __future__ import annotations

import html
import io
import re
import tempfile
from collections.abc import Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.support.stage import Scene, scene
from tests.support.terminal import Tty

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "recording.svg"
COLUMNS = 62
_ROWS = 90  # nothing scrolls off
_GREETED = "nothing leaves this computer."
_TOOK = re.compile(r"\d+\.\d+ s$")
_FAINT, _BRIGHT_BLACK = 2, 90
_WHEEL = re.compile(r"^[\u2800-\u28ff]", re.MULTILINE)  # turns while something goes on
_REMOTE = re.compile(r"@font-face\s*\{[^}]*\}\s*|<!--.*?-->\s*", re.DOTALL)  # where fonts and rich itself come from


def play(stage: Scene) -> dict[str, bytes]:
    """Henry wants a dear dish, is refused, and asks; Joe approves; Henry's assistant orders.

    Returns:
        What was written to the terminal of each.
    """
    # The server as if it were at its usual address: the commands that are shown name none.
    usual = stage.server.url
    terminals = {name: stage.open(columns=COLUMNS, rows=_ROWS, PERMIT_CHAT_URL=usual) for name in ("henry", "joe")}
    for name, terminal in terminals.items():
        terminal.log_in(name)
    henry, joe = terminals.values()
    for said, answered in (
        ("Show me the menu of Burger Bonanza, please.", "Deluxe Burger"),
        ("I would like the Deluxe Burger.", "a parent has to say yes"),
        ("It is my birthday", "I've asked a parent"),
    ):
        henry.enter(said)
        henry.see(answered)
        _settled(henry)
    joe.see("Henry asks to order Deluxe Burger")
    joe.enter("/approve 1 happy birthday!")
    joe.see("[y/N]")
    joe.enter("y")
    henry.see("I ordered the Deluxe Burger")
    written = {}
    for name, terminal in terminals.items():
        _settled(terminal)
        terminal.control("d")
        written[name] = terminal.left()[1].raw
    return written


def _settled(terminal: Tty) -> None:
    """Wait until nothing goes on, and the next line may be typed."""
    terminal.until(lambda seen: seen.at_prompt and not _WHEEL.search(seen.text), "an end")


class _Painter(pyte.Screen):
    """A screen that knows faint letters, as grey ones."""

    def select_graphic_rendition(self, *attributes: int, **_: Any) -> None:
        super().select_graphic_rendition(*(_BRIGHT_BLACK if each == _FAINT else each for each in attributes))


def painted(raw: bytes) -> list[Text]:
    """What stands on a terminal after these bytes, line by line, in its colours."""
    screen = _Painter(COLUMNS, _ROWS)
    pyte.ByteStream(screen).feed(raw)
    lines = []
    for row in range(_ROWS):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        runs = groupby(cells, key=_style)
        line = Text.assemble(*(("".join(cell.data for cell in run), style) for style, run in runs))
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def _style(cell: pyte.screens.Char) -> Style:
    names = {"default": None, "brown": "yellow", "brightblack": "bright_black", "brightbrown": "bright_yellow"}
    colour = names.get(cell.fg, f"#{cell.fg}" if re.fullmatch(r"[0-9a-f]{6}", cell.fg) else cell.fg)
    return Style(color=colour, bold=cell.bold, italic=cell.italics, underline=cell.underscore, reverse=cell.reverse)


def told(lines: Sequence[Text]) -> list[Text]:
    """What stands between log-in and goodbye, with every time that something took set to the same."""
    first = next(at for at, line in enumerate(lines) if line.plain.endswith(_GREETED)) + 1
    last = next(at for at, line in enumerate(lines) if line.plain.startswith("👋 Ending"))
    kept = [line.copy() for line in lines[first:last]]
    while kept and not kept[0].plain:
        kept.pop(0)
    for line in kept:
        line.plain = _TOOK.sub("0.1 s", line.plain)
    return kept


def side_by_side(henry: list[Text], joe: list[Text]) -> list[Text]:
    """Two terminals as columns, what happens later further down: Joe is told beside the asking, Henry after the yes."""
    asked, approved = _row(henry, "I've asked a parent"), _row(henry, "was approved by Joe")
    joe = [Text()] * asked + joe
    henry[approved:approved] = [Text()] * max(len(joe) - approved, 0)
    rows = []
    for left, right in zip_longest(henry, joe, fillvalue=Text()):
        row = left.copy()
        row.pad_right(COLUMNS - row.cell_len)
        rows.append(Text.assemble(row, (" │ ", "bright_black"), right))
    return rows


def _row(lines: Sequence[Text], words: str) -> int:
    return next(at for at, line in enumerate(lines) if words in line.plain)


def drawn(terminals: dict[str, Sequence[Text]]) -> str:
    """The picture of two terminals, one beside the other. It fetches nothing from anywhere."""
    width = 2 * COLUMNS + 3
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    titles = (f" {name.capitalize()}'s terminal ".center(COLUMNS, "─") for name in terminals)
    console.print(Text("─┬─".join(titles), "bright_black"))
    for line in side_by_side(*(told(lines) for lines in terminals.values())):
        console.print(line, soft_wrap=True)
    picture = console.export_svg(title="uv run client.py", unique_id="recording")
    return _REMOTE.sub("", picture)


def shown_in(picture: str) -> str:
    """The words of a picture as one line."""
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", picture, flags=re.DOTALL)
    return " ".join(html.unescape(words).split())


def main() -> None:
    """Write it."""
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder), scripted=False) as stage:
        picture = drawn({name: painted(raw) for name, raw in play(stage).items()})
    PICTURE.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()

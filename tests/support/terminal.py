"""A real pseudo-terminal with a program in it.

:class:`Terminal` looks for words in what the program writes. :class:`Tty` gives what it writes to a terminal emulator,
and looks at the screen, as a person does. A screen moves: every wait of it returns what it :class:`Seen`, and there is no
other way to look, so that no test can wait for one screen and speak about the next.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped, unused-ignore]
import pyte
from pyte import modes
from wcwidth import wcwidth

WAIT_SECONDS = 60.0
PROMPT = "You:"
_WHEEL = re.compile(r"[\u2800-\u28ff] |[|/\\-] (thinking|writing|reconnecting)")

# What a terminal obeys instead of showing it.
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>78])|\r")


class Terminal:
    """Runs a program, Python by default, and plays the person in front of it; every wait is bounded."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        columns: int = 100,
        *,
        program: str = sys.executable,
    ) -> None:
        self.child = pexpect.spawn(
            program,
            list(arguments),
            cwd=str(folder),
            env=dict(environment),
            encoding="utf-8",
            timeout=WAIT_SECONDS,
            dimensions=(30, columns),
        )
        self._shown = ""

    def see(self, text: str) -> str:
        """Wait until the text is shown; returns what came before it, without escape codes."""
        self.child.expect_exact(text)
        self._shown += self.child.before + self.child.after
        return ESCAPES.sub("", self.child.before)

    def type(self, text: str) -> None:
        """Type, without Enter."""
        self.child.send(text)

    def enter(self, text: str = "") -> None:
        """Type a line."""
        self.child.send(f"{text}\r")

    def control(self, key: str) -> None:
        """Press Ctrl and a key."""
        self.child.sendcontrol(key)

    def log_in(self, username: str, password: str) -> None:
        """Answer the two questions at the start."""
        self.see("Username:")
        self.enter(username)
        self.see("Password:")
        self.enter(password)

    def ended(self) -> int:
        """Wait for the program's end; returns its exit code."""
        self.child.expect(pexpect.EOF)
        self._shown += self.child.before
        self.child.close()
        assert self.child.exitstatus is not None, f"killed by signal {self.child.signalstatus}"
        return int(self.child.exitstatus)

    @property
    def shown(self) -> str:
        """Everything that was waited for so far, and all before it, without escape codes."""
        return ESCAPES.sub("", self._shown)

    @property
    def raw(self) -> str:
        """The same with escape codes."""
        return self._shown

    def close(self) -> None:
        """End the program if it still runs."""
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close()


class _Emulator(pyte.Screen):
    """An xterm that keeps what scrolls off its upper edge."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows)
        self.scrolled_off: list[str] = []
        self.titles: list[str] = []
        self.cleared = 0
        self._answer = answer

    def draw(self, data: str) -> None:
        # The emulator stops at the first character without a width and forgets what follows.
        super().draw("".join(letter for letter in data if wcwidth(letter) > 0 or unicodedata.combining(letter)))

    def index(self) -> None:
        if self.margins is None and self.cursor.y == self.lines - 1:
            self.scrolled_off.append(self.display[0].rstrip())
        super().index()

    def set_title(self, param: str) -> None:
        self.titles.append(param)

    def erase_in_display(self, how: int = 0, *more: Any, **private: Any) -> None:
        self.cleared += how in (2, 3)
        super().erase_in_display(how, *more, **private)

    def write_process_input(self, data: str) -> None:
        self._answer(data)


@dataclass(frozen=True)
class Seen:
    """What stood on a terminal at one moment. It never changes: what is asserted about it is about that moment.

    Attributes:
        raw: every byte that the program had written.
        screen: the rows of the screen, as many as it has, without trailing blanks.
        scrolled_off: the lines that have left the screen at its upper edge, first to last.
        columns: how wide the terminal is.
        row: in which row of the screen the cursor is, from 0.
        column: in which column.
        pastes: the program wants pasted text marked as such.
        cursor_hidden: the program has hidden the cursor.
        titles: what the program called the window.
        cleared: how often the program wiped the screen.
        colours: the colours of what stands on the screen.
    """

    raw: bytes
    screen: tuple[str, ...]
    scrolled_off: tuple[str, ...]
    columns: int
    row: int
    column: int
    pastes: bool
    cursor_hidden: bool
    titles: tuple[str, ...]
    cleared: int
    colours: frozenset[str]

    @cached_property
    def lines(self) -> list[str]:
        """Everything from the first line that has scrolled off to the last row that is not blank."""
        every = [*self.scrolled_off, *self.screen]
        while every and not every[-1]:
            every.pop()
        return every

    @cached_property
    def text(self) -> str:
        """:attr:`lines` as one text."""
        return "\n".join(self.lines)

    @property
    def copied(self) -> str:
        """:attr:`text` as it comes out when it is copied: rows that are filled to the edge go on in the next."""
        return "".join(line if len(line) == self.columns else f"{line}\n" for line in self.lines)

    @cached_property
    def flat(self) -> str:
        """:attr:`text` as one line: what was wrapped at a blank is whole again."""
        return " ".join(self.text.split())

    @property
    def cursor(self) -> tuple[int, int]:
        """Where the cursor is: which of :attr:`lines`, which column; both count from 0."""
        return len(self.scrolled_off) + self.row, self.column

    @property
    def cursor_line(self) -> str:
        """The row in which the cursor is."""
        return self.screen[self.row]

    @property
    def above(self) -> str:
        """All that stands above the cursor's row, as one line."""
        return " ".join(" ".join(self.lines[: self.cursor[0]]).split())

    def after(self, text: str) -> str:
        """What stands behind the last place where a text stands, as one line; nothing when it stands nowhere."""
        _, found, rest = self.flat.rpartition(text)
        return rest if found else ""

    @property
    def at_prompt(self) -> bool:
        """True when the cursor stands at the beginning of an input line; what is proposed there may stand after it."""
        return self.cursor_line.startswith(PROMPT) and self.column <= len(PROMPT) + 1

    @property
    def working(self) -> bool:
        """True when a line above the cursor's row turns its wheel, for something goes on."""
        row = self.cursor[0]
        return row > 0 and _WHEEL.match(self.lines[row - 1]) is not None

    @property
    def changed_screens(self) -> bool:
        """True when the program asked for the alternate screen."""
        return re.search(rb"\x1b\[\?(47|1047|1049)h", self.raw) is not None

    def __str__(self) -> str:
        """The terminal for people who look into why a test failed."""
        row, column = self.cursor
        return "\n".join([*(f"|{line}" for line in self.lines), f"(cursor: line {row}, column {column})"])


class _Display:
    """A terminal's window: takes what a program writes, and can be looked at.

    Args:
        columns: of the terminal.
        rows: of the terminal.
        answer: takes what the terminal itself says when a program asks where the cursor is.
        encoding: how it reads bytes.
    """

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None], encoding: str) -> None:
        self._raw = b""
        self._emulator = _Emulator(columns, rows, answer)
        self._stream = pyte.Stream(self._emulator)
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def feed(self, data: bytes) -> None:
        """Let a program write."""
        self._raw += data
        self._stream.feed(self._decoder.decode(data))

    def resize(self, columns: int, rows: int) -> None:
        """Let a person pull at the window's corner."""
        self._emulator.resize(rows, columns)

    def seen(self) -> Seen:
        """What stands there now."""
        screen = self._emulator
        colours = {cell.fg for row in screen.buffer.values() for cell in row.values() if cell.data.strip()}
        return Seen(
            raw=self._raw,
            screen=tuple(row.rstrip() for row in screen.display),
            scrolled_off=tuple(screen.scrolled_off),
            columns=screen.columns,
            row=screen.cursor.y,
            column=screen.cursor.x,
            pastes=(2004 << 5) in screen.mode,
            cursor_hidden=modes.DECTCEM not in screen.mode,
            titles=tuple(screen.titles),
            cleared=screen.cleared,
            colours=frozenset(colours - {"default"}),
        )


class Tty:
    """A program in a pseudo-terminal of its own, and the person who sits in front of it. Every wait is bounded.

    Args:
        command: the program and its arguments; a shell's words when it is one string.
        environment: what the program finds around it.
        folder: where it runs.
        columns: of the terminal.
        rows: of the terminal.
        encoding: how the terminal reads bytes, and turns keys into them.
    """

    def __init__(
        self,
        command: Sequence[str] | str,
        environment: Mapping[str, str],
        folder: Path,
        *,
        columns: int = 100,
        rows: int = 30,
        encoding: str = "utf-8",
    ) -> None:
        self._encoding = encoding
        self._master, slave = pty.openpty()
        self._set_size(columns, rows)
        self._display = _Display(columns, rows, self.type, encoding)
        self._moved = threading.Condition()
        self._over = False
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        # The first thing that the leader of a new session opens becomes its terminal, with Ctrl-C and all.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec <"$0" >"$0" 2>&1; exec "$@"', os.ttyname(slave), *words],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._slave = slave  # kept until the program's end: what it wrote last must not be lost
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    def until(self, condition: Callable[[Seen], object], what: str = "it") -> Seen:
        """Wait until the terminal shows something.

        Returns:
            What stood there at the moment at which the condition held.

        Raises:
            AssertionError: it did not in time, or cannot any more; shows the terminal.
        """
        latest: Seen | None = None

        def holds() -> bool:
            nonlocal latest
            latest = self._display.seen()
            return bool(condition(latest))

        with self._moved:
            held = self._moved.wait_for(lambda: holds() or self._over, WAIT_SECONDS) and holds()
            ended = "the program has ended" if self._over else f"{WAIT_SECONDS:.0f} seconds went by"
        assert latest is not None
        if not held:
            raise AssertionError(f"{what} was not seen, and {ended}:\n{latest}")
        return latest

    def see(self, *texts: str) -> Seen:
        """Wait until all of these stand on the terminal at one moment, wherever lines are broken."""
        return self.until(lambda seen: all(text in seen.flat for text in texts), " and ".join(map(repr, texts)))

    def see_prompt(self, *texts: str) -> Seen:
        """Wait until an empty line waits to be typed into, nothing goes on, and all of these stand there."""
        said = " and ".join(["an empty input line", *map(repr, texts)])
        return self.until(
            lambda seen: seen.at_prompt and not seen.working and all(text in seen.flat for text in texts), said
        )

    def type(self, text: str) -> None:
        """Type, without Enter."""
        os.write(self._master, text.encode(self._encoding, "replace"))

    def enter(self, text: str = "") -> None:
        """Type a line."""
        self.type(f"{text}\r")

    def control(self, key: str) -> None:
        """Press Ctrl and a key."""
        self.type(chr(ord(key.upper()) & 0x1F))

    def paste(self, text: str) -> None:
        """Paste as a terminal does: marked when the program wants it to be, with Enter for every end of a line."""
        keys = text.replace("\n", "\r")
        with self._moved:
            marked = self._display.seen().pastes
        self.type(f"\x1b[200~{keys}\x1b[201~" if marked else keys)

    def resize(self, columns: int, rows: int = 30) -> None:
        """Pull at the window's corner. The program is told by SIGWINCH."""
        with self._moved:
            self._display.resize(columns, rows)
            self._set_size(columns, rows)

    def log_in(self, username: str, password: str = "") -> None:
        """Answer the two questions at the start, and wait for the chat."""
        self.see("Username:")
        self.enter(username)
        self.see("Password:")
        self.enter(password or f"{username}_password")
        self.see_prompt()

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait for the program's end; returns its exit code. It must have left the terminal as a shell needs it."""
        return self.left()[0]

    def left(self) -> tuple[int, Seen]:
        """As :meth:`ended`; returns what stands on the terminal for good, too."""
        code = self._process.wait(WAIT_SECONDS)
        modes_left = termios.tcgetattr(self._master)[3]
        self._close_slave()
        self._reader.join(WAIT_SECONDS)
        assert modes_left & termios.ECHO, "typed keys are not shown any more"
        assert modes_left & termios.ICANON, "lines are not edited any more"
        seen = self._display.seen()
        assert not seen.pastes, "pasted text is still marked"
        assert not seen.cursor_hidden, "the cursor is still hidden"
        return code, seen

    def close(self) -> None:
        """Close the terminal, as the button in the corner of its window does, and end what still runs in it."""
        try:
            os.killpg(self._process.pid, signal.SIGHUP)
            self._process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(WAIT_SECONDS)
        self._close_slave()
        self._reader.join(WAIT_SECONDS)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _close_slave(self) -> None:
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # nobody holds the other end any more
                data = b""
            with self._moved:
                if data:
                    self._display.feed(data)
                else:
                    self._over = True
                self._moved.notify_all()
            if not data:
                return


def way_back(seen: Seen) -> list[str]:
    """The arguments of the command that the client printed last, to be copied into a shell."""
    found = re.findall(r"client\.py (.*--resume .*)", seen.copied)
    assert found, seen.text
    return shlex.split(found[-1])

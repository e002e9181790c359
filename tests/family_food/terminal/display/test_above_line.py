from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

from family_food.terminal.display.above_line import AboveLine, above_line


class Renderer:
    def __init__(self, log: list[str]) -> None:
        self._log = log

    def erase(self, leave_alternate_screen: bool) -> None:
        assert not leave_alternate_screen
        self._log.append("erase")


class Application:
    """Stands for the input line."""

    def __init__(self, log: list[str]) -> None:
        self.is_running, self.is_done, self._running_in_terminal = True, False, False
        self.renderer = Renderer(log)
        self._log = log

    def invalidate(self) -> None:
        self._log.append("draw")


class Terminal:
    def __init__(self, log: list[str]) -> None:
        self._log = log

    def write_raw(self, text: str) -> None:
        self._log.append(text)

    def flush(self) -> None:
        return

    def encoding(self) -> str:
        return "utf-8"


def made() -> tuple[AboveLine, list[str], Application]:
    log: list[str] = []
    application = Application(log)
    file = AboveLine(cast("Any", application), cast("Any", Terminal(log)), asyncio.get_running_loop())
    return file, log, application


async def drawn(log: list[str], times: int = 1) -> None:
    async with asyncio.timeout(10):
        while log.count("draw") < times:
            await asyncio.sleep(0.001)


async def test_whole_lines_are_written_above_the_input_line_at_once() -> None:
    file, log, _ = made()
    for piece in ("one\n", "two\nthr", "ee"):
        file.write(piece)
    await drawn(log)
    assert log == ["erase", "one\ntwo\n", "draw"]
    file.write("!\n")
    await drawn(log, 2)
    assert log[3:] == ["erase", "three!\n", "draw"]


async def test_threads_may_write_too() -> None:
    file, log, _ = made()
    await asyncio.to_thread(file.write, "from elsewhere\n")
    await drawn(log)
    assert "from elsewhere\n" in log


async def test_an_editor_is_not_written_into() -> None:
    file, log, application = made()
    application._running_in_terminal = True
    file.write("news\n")
    await asyncio.sleep(0.05)
    assert log == []
    application._running_in_terminal = False
    await drawn(log)
    assert log == ["erase", "news\n", "draw"]


async def test_the_streams_come_back_and_nothing_is_left_unwritten() -> None:
    _, log, application = made()
    before = sys.stdout, sys.stderr
    with above_line(cast("Any", application), cast("Any", Terminal(log))) as file:
        assert sys.stdout is file
        sys.stderr.write("half a line")
        application.is_running = False
    assert (sys.stdout, sys.stderr) == before
    assert log == ["half a line"]

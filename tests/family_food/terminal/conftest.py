"""Screens whose every byte can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from family_food.terminal.display.output import Output
from family_food.terminal.display.screen import Screen
from tests.support.fake_stream import FakeStream, fake_streams


@dataclass
class Shown:
    """A screen and what it wrote."""

    screen: Screen
    out: FakeStream
    err: FakeStream

    @property
    def lines(self) -> list[str]:
        """What was written to standard output, without colours."""
        return self.out.shown.split("\n")[:-1]


MakeScreen = Callable[..., Shown]


@pytest.fixture
def make_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeScreen]:
    """Make a screen: ``kind`` is ``rich``, ``plain`` or ``pipe``."""
    with ExitStack() as streams:

        def make(kind: str = "rich", *, columns: int = 80, encoding: str = "utf-8", verbose: bool = False) -> Shown:
            monkeypatch.setattr(Output, "columns", property(lambda _: columns))
            monkeypatch.setenv("TERM", "xterm")
            out, err = streams.enter_context(fake_streams(terminal=kind != "pipe", encoding=encoding))
            return Shown(Screen(kind == "rich", plain=kind == "plain", verbose=verbose), out, err)

        yield make

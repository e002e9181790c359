"""Where the bytes go."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from family_food.terminal.display.output import Output
from family_food.terminal.problem import ChatProblem
from tests.support.fake_stream import FakeStream, fake_streams


class Full(FakeStream):
    """A stream on a full disk, or on a terminal that is gone."""

    number = errno.ENOSPC

    def write(self, text: str) -> int:
        raise OSError(self.number, "no")


class Gone(Full):
    """A terminal that was closed."""

    number = errno.EIO


def test_whatever_stands_behind_the_name_now_is_written_to() -> None:
    output = Output("stdout")
    with fake_streams() as (first, _):
        output.write("one")
    with fake_streams() as (second, _):
        output.write("two")
    assert (first.raw_text, second.raw_text) == ("one", "two")


def test_a_full_disk_is_said_and_a_closed_terminal_is_a_broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(ChatProblem, match="No space left"):
        Output("stdout").write("x")
    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(BrokenPipeError):
        Output("stdout").write("x")
    monkeypatch.setattr(sys, "stderr", Full())
    Output("stderr").write("x")


def test_without_a_stream_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    output = Output("stdout")
    assert not output.isatty()
    assert output.encoding == "utf-8"
    assert output.columns == 80
    assert output.write("x") == 1
    output.flush()
    with pytest.raises(OSError, match="closed"):
        output.fileno()


def test_a_closed_stream_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    assert not Output("stdout").isatty()

"""Output while a prompt stands in the last line."""

from __future__ import annotations

import sys

import pytest

from family_food.terminal.display.below_prompt import below_prompt
from tests.support.chat_server import until
from tests.support.fake_stream import FakeStream


async def test_lines_begin_below_the_prompt_which_comes_again_below_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = FakeStream()
    monkeypatch.setattr(sys, "stdout", stream)
    with below_prompt("You: "):
        sys.stdout.write("")
        sys.stdout.write("One.\n")
        sys.stderr.write("Two.\n")
        assert sys.stdout.isatty()
        assert sys.stdout.encoding == "utf-8"
        await until(lambda: stream.raw_text.endswith("You: "), "the prompt")
        sys.stdout.write("Half ")
        sys.stdout.write("a line")
        sys.stdout.flush()
    assert stream.raw_text == "\nOne.\nTwo.\nYou: \nHalf a line"
    assert sys.stdout is stream


def test_a_pipe_is_written_to_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeStream(terminal=False)
    monkeypatch.setattr(sys, "stdout", stream)
    with below_prompt("You: "):
        assert sys.stdout is stream

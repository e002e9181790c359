"""Goodbye comes before whatever else handles a signal."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from family_food.chat.shutdown import before_shutdown
from tests.support.chat_server import until


@pytest.fixture
def handled() -> Iterator[list[str]]:
    """What happened, in order; the web server's own handler writes ``server``."""
    happened: list[str] = []

    def server(number: int, frame: FrameType | None) -> None:
        happened.append(f"server {signal.Signals(number).name}")

    before = {number: signal.signal(number, server) for number in (signal.SIGINT, signal.SIGTERM)}
    yield happened
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_goodbye_is_said_before_the_server_hears_of_the_signal(handled: list[str]) -> None:
    async def goodbye() -> None:
        handled.append("goodbye")

    with before_shutdown(goodbye):
        signal.raise_signal(signal.SIGTERM)
        assert handled == []
        await until(lambda: len(handled) == 2, "the server's turn")
    assert handled == ["goodbye", "server SIGTERM"]
    signal.raise_signal(signal.SIGTERM)
    assert handled[2:] == ["server SIGTERM"], "afterwards everything is as before"


async def test_the_same_signal_again_does_not_wait_and_another_one_does(handled: list[str]) -> None:
    gate = asyncio.Event()

    with before_shutdown(gate.wait):  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)
        assert handled == []
        signal.raise_signal(signal.SIGINT)
        assert handled == ["server SIGINT"]
        gate.set()
        await until(lambda: len(handled) == 2, "the end of the goodbye")


async def test_a_goodbye_that_fails_does_not_keep_the_server_running(handled: list[str]) -> None:
    async def goodbye() -> None:
        await asyncio.Event().wait()

    with before_shutdown(goodbye):
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
        for task in asyncio.all_tasks():
            if task.get_name() == "shutdown":
                task.cancel()
        await until(lambda: handled == ["server SIGINT"], "the server's turn")


def test_in_a_thread_of_its_own_there_are_no_signals(handled: list[str]) -> None:
    async def inside() -> None:
        async def goodbye() -> None: ...

        with before_shutdown(goodbye):
            handled.append("inside")

    thread = threading.Thread(target=lambda: asyncio.run(inside()))
    thread.start()
    thread.join(10)
    assert handled == ["inside"]

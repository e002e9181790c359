"""The queue in front of a socket, and a client that does not read."""

from __future__ import annotations

import asyncio
import json

import pytest

from family_food.chat.outgoing import QUEUE_FRAMES, ClientGone, Outgoing
from family_food.chat.protocol import Status


async def test_frames_go_out_in_order() -> None:
    written: list[str] = []

    async def write(text: str) -> None:
        written.append(json.loads(text)["content"])

    outgoing = Outgoing(write)
    writer = asyncio.create_task(outgoing.run())
    for number in range(3):
        await outgoing.send(Status(content=str(number)))
    assert await outgoing.drained(5)
    writer.cancel()
    assert written == ["0", "1", "2"]


async def test_a_client_that_does_not_read_is_given_up() -> None:
    async def never(text: str) -> None:
        await asyncio.Event().wait()

    outgoing = Outgoing(never, slow_seconds=0.05)
    writer = asyncio.create_task(outgoing.run())
    for _ in range(QUEUE_FRAMES):
        await outgoing.send(Status())
    await asyncio.sleep(0)  # the writer takes one, and hangs
    await outgoing.send(Status())
    with pytest.raises(ClientGone):
        await outgoing.send(Status())
    assert outgoing.too_slow.is_set()
    with pytest.raises(ClientGone):
        await outgoing.send(Status())
    assert not await outgoing.drained(0.01)
    writer.cancel()

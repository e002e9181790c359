"""MCP's two streams over a socket."""

from __future__ import annotations

import asyncio
import socket

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest

from prefork.socket_streams import Streams, socket_streams

PING = JSONRPCRequest(jsonrpc="2.0", id=1, method="ping")
LINE = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


async def next_of(streams: Streams) -> SessionMessage | Exception:
    async with asyncio.timeout(30):
        return await streams[0].receive()


async def send_for_ever(streams: Streams) -> None:
    async with asyncio.timeout(30):
        while True:
            await streams[1].send(SessionMessage(PING))
            await asyncio.sleep(0)


async def test_messages_go_both_ways_one_a_line() -> None:
    ours, theirs = socket.socketpair()
    async with socket_streams(ours) as here, socket_streams(theirs) as there:
        for sender, receiver in ((here, there), (there, here)):
            await sender[1].send(SessionMessage(PING))
            received = await next_of(receiver)
            assert isinstance(received, SessionMessage)
            assert received.message == PING
    assert (ours.fileno(), theirs.fileno()) == (-1, -1)


async def test_a_line_that_is_no_message_is_an_error_and_the_next_one_is_read() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"hello\n" + LINE)
        async with socket_streams(ours) as streams:
            assert isinstance(await next_of(streams), ValueError)
            assert isinstance(await next_of(streams), SessionMessage)


@pytest.mark.parametrize("last", [b"", LINE[:-1], b"x" * 2000], ids=["nothing", "half a line", "too long a line"])
async def test_the_streams_end_with_the_socket_or_a_line_that_is_too_long(last: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(LINE + last)
        if len(last) < 1000:
            theirs.shutdown(socket.SHUT_WR)
        async with socket_streams(ours, line_bytes=1000) as streams:
            assert isinstance(await next_of(streams), SessionMessage)
            with pytest.raises(anyio.EndOfStream):
                await next_of(streams)


async def test_writing_to_a_peer_that_is_gone_ends_reading_too() -> None:
    ours, theirs = socket.socketpair()
    async with socket_streams(ours) as streams:
        theirs.close()
        with pytest.raises(anyio.BrokenResourceError):
            await send_for_ever(streams)
        with pytest.raises(anyio.EndOfStream):
            await next_of(streams)


async def test_leaving_does_not_wait_for_a_peer_that_does_not_read() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        async with asyncio.timeout(30):
            async with socket_streams(ours) as streams:
                with anyio.move_on_after(0.2):
                    await send_for_ever(streams)
        assert ours.fileno() == -1

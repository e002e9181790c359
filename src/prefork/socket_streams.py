"""MCP over a connected socket: one message a line, the same at both ends, and no threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

logger = logging.getLogger(__name__)

LINE_BYTES = 4 * 1024 * 1024
"""A longer message ends the connection."""

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def socket_streams(connected: socket.socket, line_bytes: int = LINE_BYTES) -> AsyncIterator[Streams]:
    """The two streams that an MCP session wants, over a socket that is closed at the end.

    Args:
        connected: a stream socket; taken over.
        line_bytes: the longest message that is read.
    """
    connected.setblocking(False)
    try:
        reader, writer = await asyncio.open_unix_connection(sock=connected, limit=line_bytes)
    except BaseException:
        connected.close()
        raise
    in_send, in_receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    out_send, out_receive = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as pumps:
            pumps.start_soon(_pump_in, reader, in_send)
            pumps.start_soon(_pump_out, writer, out_receive, in_send)
            try:
                yield in_receive, out_send
            finally:
                pumps.cancel_scope.cancel()
    finally:
        for stream in (in_send, in_receive, out_send, out_receive):
            stream.close()
        writer.transport.abort()  # what was not sent by now is for nobody any more
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _pump_in(reader: asyncio.StreamReader, received: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    async with received:  # the session learns of the end by the end of its stream
        with contextlib.suppress(ConnectionError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while (line := await _line(reader)).endswith(b"\n"):
                await received.send(_parsed(line))


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        logger.warning("an MCP message was too long; the connection ends")
        return b""


def _parsed(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        logger.warning("a line was not an MCP message", exc_info=error)
        return error


async def _pump_out(
    writer: asyncio.StreamWriter,
    sending: MemoryObjectReceiveStream[SessionMessage],
    received: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    async with sending:
        try:
            async for message in sending:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                writer.write(line.encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            received.close()  # or a request would wait for its answer for ever

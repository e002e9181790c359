"""What a child process says on its standard error, in our log."""

from __future__ import annotations

import asyncio
import logging
import os
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

LINE_BYTES = 8192
"""A longer line is logged in pieces."""
_LINGER_SECONDS = 1.0


class LogPipe:
    """A pipe whose other end goes line by line to our log.

    Use it as a context manager around the start and the life of the child.

    Args:
        whose: what the lines are ascribed to.
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w", encoding="utf-8")
        """The end for the child: a real file, as the SDK wants one."""
        self._task = asyncio.create_task(_log_lines(reading, self._whose), name=f"{self._whose} stderr")
        return self

    def release(self) -> None:
        """Close our copy of the writing end, once the child has its own."""
        self.file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        # Ends by itself when the last process that holds the pipe does; a grandchild may hold it longer than we wait.
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._task.cancel)


async def _log_lines(descriptor: int, whose: str) -> None:
    reader = asyncio.StreamReader(limit=65_536)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        rest = b""
        while chunk := await reader.read(LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            lines += [rest] if len(rest) > LINE_BYTES else []
            rest = b"" if len(rest) > LINE_BYTES else rest
            for line in filter(None, lines):
                logger.info("%s: %s", whose, line.decode("utf-8", "backslashreplace").rstrip())
    finally:
        transport.close()

"""Server-sent events, as far as the chat completions protocol uses them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

MAX_LINE_BYTES = 4 * 1024 * 1024


async def data_lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield what follows ``data:`` on each line, wherever the chunks are cut.

    Lines end at LF or CRLF only: ``httpx.Response.aiter_lines`` also ends them at U+2028 and its like, which may
    stand bare in a JSON string.

    Raises:
        ValueError: a line has no end in sight, or is not UTF-8.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise ValueError("a line is too long")
        for line in lines:
            if (data := _data(line)) is not None:
                yield data
    if (data := _data(rest)) is not None:
        yield data


def _data(line: bytes) -> str | None:
    return line.removeprefix(b"data:").decode().strip() if line.startswith(b"data:") else None

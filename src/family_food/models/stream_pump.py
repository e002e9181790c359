"""Reading a provider's stream so that leaving it really ends it, and silence is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from family_food.models.port import ModelError

Chunk = TypeVar("Chunk")
_END = object()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a silent provider is waited for.

    Attributes:
        first_event: seconds from the start, connecting and retries included, to the first chunk.
        gap: seconds between two chunks.
    """

    first_event: float
    gap: float


async def pumped(
    open_stream: Callable[[], Awaitable[AsyncIterable[Chunk]]],
    patience: Patience,
    translate: Callable[[Exception], ModelError],
) -> AsyncGenerator[Chunk, None]:
    """Yield a stream's chunks, read by a task of its own.

    A stream is only sure to close when it is cancelled while it waits for its next chunk: google-genai's sits in a
    reference cycle, and an ``aclose`` from elsewhere finds it running. The task waits for nothing else, so cancelling
    it always closes the connection. The queue has no limit for the same reason; the provider's output limit is its.

    Args:
        open_stream: sends the request.
        patience: how long silence is borne.
        translate: what an exception of the stream means.

    Raises:
        ModelError: the provider was silent too long (``model_timeout``) or failed. Its own exception is left out of
            the traceback: such exceptions hold addresses and bodies, and tracebacks go to logs.
    """
    queue: asyncio.Queue[object] = asyncio.Queue()
    reader = asyncio.create_task(_read(open_stream, queue))
    wait = patience.first_event
    try:
        while True:
            try:
                async with asyncio.timeout(wait):
                    item = await queue.get()
            except TimeoutError:
                raise ModelError("model_timeout", f"The language model was silent for {wait:g} seconds.") from None
            wait = patience.gap
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise translate(item.error) from None
            yield item  # type: ignore[misc]  # the queue holds chunks, a failure or the end
    finally:
        reader.cancel()
        # Not ``await reader``: that would mistake the reader's cancellation for one of ours, or ours for the reader's.
        await asyncio.wait({reader})


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


async def _read(open_stream: Callable[[], Awaitable[AsyncIterable[Chunk]]], queue: asyncio.Queue[object]) -> None:
    try:
        async for chunk in await open_stream():
            queue.put_nowait(chunk)
        queue.put_nowait(_END)
    except Exception as error:  # noqa: BLE001 - raised again where the chunks are read
        queue.put_nowait(_Failure(error))

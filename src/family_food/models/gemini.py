"""Gemini through google-genai."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable

import httpx2
from google import genai
from google.genai import types

from family_food.models import failures
from family_food.models.gemini_contents import GeminiAnswer, to_config, to_contents
from family_food.models.gemini_errors import translate
from family_food.models.port import Prompt, StepEnd, TextDelta
from family_food.models.run_step import run_step
from family_food.models.stream_pump import Patience

GOOGLE = "https://generativelanguage.googleapis.com"
CONNECT_SECONDS = 10.0
MAX_STREAMS = 1000


class GeminiModel:
    """One per process: building a client blocks for tens of milliseconds, a call on it costs less than two.

    Args:
        api_key: of the Gemini API. It travels in a header, never in an address.
        model: such as ``gemini-3.8-flash``.
        base_url: where the service is; empty for Google's.
        patience: how long a silent service is borne.
        attempts: how often a request is sent while the service answers 408, 429 or 5xx or cannot be reached. Only
            before the first byte of an answer: what was begun is never asked for twice.
        retry_seconds: the first pause between two attempts; it doubles each time, up to 8.
    """

    offline = False

    def __init__(
        self,
        api_key: str,
        model: str,
        *,
        base_url: str = "",
        patience: Patience,
        attempts: int = 4,
        retry_seconds: float = 0.5,
    ) -> None:
        # The SDK logs each retry with the whole body of the refusal, at INFO.
        logging.getLogger("google_genai._api_client").setLevel(logging.WARNING)
        self._model = model.removeprefix("models/")
        self._provider = f"gemini:{self._model}"
        self._patience = patience
        self._closed = False
        # A client of our own pins the transport: whatever else is installed, it is httpx2, with room for every
        # session. Reading has no limit here but the watchdogs of the pump, which count from chunk to chunk.
        self._http = httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=MAX_STREAMS),
            timeout=None,
            event_hooks={"request": [_limit_connecting]},
        )
        # The environment changes nothing: the backend, the version and the address are all said here.
        self._client = genai.Client(
            vertexai=False,
            api_key=api_key,
            http_options=types.HttpOptions(
                base_url=base_url or GOOGLE,
                api_version="v1beta",
                httpx_async_client=self._http,
                retry_options=types.HttpRetryOptions(
                    attempts=attempts, initial_delay=retry_seconds, max_delay=8, jitter=retry_seconds
                ),
            ),
        )

    @property
    def label(self) -> str:
        """``Gemini (gemini-3.8-flash)``."""
        return f"Gemini ({self._model})"

    def step(self, prompt: Prompt) -> AsyncGenerator[TextDelta | StepEnd, None]:
        """Stream one step; see :meth:`family_food.models.port.Model.step`.

        Raises:
            ModelError: while iterating.
        """
        contents = to_contents(prompt.entries, self._provider)
        config = to_config(prompt, _thinking(self._model))
        return run_step(
            lambda: self._open(contents, config), lambda: GeminiAnswer(self._provider), self._patience, translate
        )

    async def close(self) -> None:
        """Give back the connections. Once closed it stays closed."""
        self._closed = True
        await self._client.aio.aclose()
        self._client.close()
        await self._http.aclose()  # the SDK leaves a client it was given to whoever made it

    async def _open(
        self, contents: list[types.Content], config: types.GenerateContentConfig
    ) -> AsyncIterable[types.GenerateContentResponse]:
        if self._closed:
            raise failures.shutting_down()
        stream: AsyncIterable[types.GenerateContentResponse] = await self._client.aio.models.generate_content_stream(
            model=self._model, contents=list(contents), config=config
        )
        return stream


def _thinking(model: str) -> types.ThinkingConfig | None:
    """A little thinking for the models known to take a level; the others keep their default.

    Ordering food needs no more, thinking is paid as output, and the Lite models think less than this on their own.
    """
    if model.startswith("gemini-3") and "lite" not in model:
        return types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)
    return None


async def _limit_connecting(request: httpx2.Request) -> None:
    """Bound connecting and sending alone.

    The SDK has one number for everything. It would limit reading too, and tell the service, which then ends a long
    answer however steadily it comes.
    """
    request.extensions["timeout"] = httpx2.Timeout(None, connect=CONNECT_SECONDS, write=CONNECT_SECONDS).as_dict()

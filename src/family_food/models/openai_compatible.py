"""Any server that speaks the chat completions protocol: Ollama, llama.cpp, vLLM, LM Studio, and hosted ones."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Any

import httpx

from family_food.models import failures
from family_food.models.completion_chunk import CompletionChunk
from family_food.models.openai_messages import CompletionAnswer, to_body
from family_food.models.port import ModelError, Prompt, StepEnd, TextDelta
from family_food.models.run_step import run_step
from family_food.models.server_sent import data_lines
from family_food.models.stream_pump import Patience

CONNECT_SECONDS = 10.0
MAX_STREAMS = 1000

log = logging.getLogger(__name__)


class OpenAICompatibleModel:
    """One per process.

    Args:
        base_url: up to and without ``/chat/completions``: ``http://127.0.0.1:11434/v1`` for Ollama.
        model: one of the server's models.
        api_key: sent as a bearer token; empty for servers that want none.
        patience: how long a silent server is borne. A local one may have to load its model first.
    """

    offline = False

    def __init__(self, base_url: str, model: str, *, api_key: str = "", patience: Patience) -> None:
        self._url = f"{base_url}/chat/completions"
        self._model = model
        self._provider = f"openai:{model}"
        self._patience = patience
        # Reading has no limit here but the watchdogs of the pump, which count from chunk to chunk.
        self._http = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=MAX_STREAMS),
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, write=CONNECT_SECONDS),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )

    @property
    def label(self) -> str:
        """The model's own name: ``qwen3:8b``."""
        return self._model

    def step(self, prompt: Prompt) -> AsyncGenerator[TextDelta | StepEnd, None]:
        """Stream one step; see :meth:`family_food.models.port.Model.step`.

        Raises:
            ModelError: while iterating.
        """
        body = to_body(prompt, self._model)
        return run_step(
            lambda: self._open(body),
            lambda: CompletionAnswer(self._provider, may_call=prompt.may_call),
            self._patience,
            translate,
        )

    async def close(self) -> None:
        """Give back the connections. Once closed it stays closed."""
        await self._http.aclose()

    async def _open(self, body: dict[str, Any]) -> AsyncIterable[CompletionChunk]:
        if self._http.is_closed:
            raise failures.shutting_down()
        return self._chunks(body)

    async def _chunks(self, body: dict[str, Any]) -> AsyncIterator[CompletionChunk]:
        async with self._http.stream("POST", self._url, json=body) as response:
            response.raise_for_status()
            async for data in data_lines(response.aiter_bytes()):
                if data == "[DONE]":
                    return
                chunk = CompletionChunk.model_validate_json(data)
                if chunk.error is not None:
                    raise _told_in_the_stream(chunk.error)
                yield chunk


def translate(error: Exception) -> ModelError:
    """What an exception of a stream means."""
    log.debug("talking to the model server failed", exc_info=error)
    match error:
        case ModelError():
            return error
        case httpx.HTTPStatusError(response=response):
            log.warning("the model server answered with status %s", response.status_code)
            return failures.of_status(response.status_code, failures.wait_of(response.headers.get("retry-after", "")))
        case httpx.ConnectError() | httpx.ConnectTimeout():
            failure = failures.unreachable()
        case httpx.TimeoutException():
            failure = failures.too_slow()
        case httpx.HTTPError() | httpx.StreamError():
            failure = failures.broken()
        case _:  # neither UTF-8, nor JSON, nor a chunk
            failure = failures.unreadable()
    log.warning("talking to the model server failed: %s", type(error).__name__)
    return failure


def _told_in_the_stream(error: Any) -> ModelError:
    """Its code may be a status, a word or missing."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    log.warning("the model server failed in the middle of an answer")
    return failures.of_status(int(code) if code.isascii() and code.isdigit() and len(code) == 3 else 500)

"""OPA's REST API, as far as decisions need it: ask one rule, put a document. Everything is bounded."""

from __future__ import annotations

import json
from typing import Any

import httpx

from permit_core.errors import PermitError

MOST_ANSWER_BYTES = 16 * 1024 * 1024
_CONNECTIONS = 32
_ASK = "/v1/data/permit/answer"
_JSON = {"content-type": "application/json"}


class OpaFault(PermitError):
    """OPA could not be used. The text is one sentence for the operator and for whoever was refused; no secrets."""


class OpaClient:
    """Talks to one OPA server.

    Made without a connection and without an event loop: both belong to whoever asks first.

    Args:
        url: of the server, ``http://127.0.0.1:8181``.
        timeout_seconds: longest wait for a connection, and between two bytes.
        token: sent as a bearer token when it is not empty (``opa run --authentication=token``).
    """

    def __init__(self, url: str, timeout_seconds: float, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._headers = {**_JSON, **({"authorization": f"Bearer {token}"} if token else {})}
        self._kept: httpx.AsyncClient | None = None

    async def ask(self, body: bytes) -> Any:
        """The value of the rule ``permit.answer`` on an input.

        Raises:
            OpaFault: no answer, or none of OPA's, or the rule is not there.
        """
        answer = _object(await self._call("POST", _ASK, body))
        if "result" not in answer:
            raise OpaFault("OPA has no rules: load policies/opa into it")
        return answer["result"]

    async def put(self, path: str, body: bytes, stamp: str) -> None:
        """Put a document at a path below ``data``, over whatever was there; ``stamp`` is what it says of itself.

        Raises:
            OpaFault: it was not taken.
        """
        await self._call("PUT", f"/v1/data/{path}", body)

    async def stamp_at(self, path: str) -> Any:
        """What the document at a path below ``data`` says of itself, None when there is none.

        Raises:
            OpaFault: no answer, or none of OPA's.
        """
        return _object(await self._call("GET", f"/v1/data/{path}/stamp", b"")).get("result")

    async def close(self) -> None:
        """Close every connection; they are opened again when somebody asks."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.aclose()

    async def _call(self, method: str, path: str, body: bytes) -> bytes:
        try:
            try:
                return await self._once(method, path, body)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A kept connection that OPA has closed meanwhile. Asking and putting twice is the same as once.
                return await self._once(method, path, body)
        except httpx.TimeoutException:
            raise OpaFault(f"OPA did not answer within {self._timeout_seconds:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OpaFault(f"OPA cannot be reached ({type(error).__name__})") from error

    async def _once(self, method: str, path: str, body: bytes) -> bytes:
        async with self._client().stream(method, self.url + path, content=body, headers=self._headers) as response:
            if response.status_code in {401, 403}:
                raise OpaFault("OPA refuses this program: OPA_TOKEN is missing or wrong")
            if response.status_code not in {200, 204}:
                raise OpaFault(f"OPA answered with status {response.status_code}")
            reply = bytearray()
            async for part in response.aiter_bytes():
                reply += part
                if len(reply) > MOST_ANSWER_BYTES:
                    raise OpaFault(f"OPA answered with more than {MOST_ANSWER_BYTES} bytes")
            return bytes(reply)

    def _client(self) -> httpx.AsyncClient:
        if self._kept is None:
            # No proxy of the environment: it would see every question, and could answer.
            self._kept = httpx.AsyncClient(
                timeout=self._timeout_seconds, limits=httpx.Limits(max_connections=_CONNECTIONS), trust_env=False
            )
        return self._kept


def _object(reply: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(reply)
    except ValueError:
        raise OpaFault("OPA answered nonsense: no JSON") from None
    if not isinstance(answer, dict):
        raise OpaFault("OPA answered nonsense: no object")
    return answer

"""Documents for OPA by way of OPAL, which takes them to every OPA that has an OPAL client beside it."""

from __future__ import annotations

import asyncio

import httpx

from permit_core.decision.opa_client import OpaClient, OpaFault

TOPIC = "policy_data"
"""What the OPAL clients subscribe to (OPAL_DATA_TOPICS)."""

MOST_BYTES = 1_000_000
"""What fits into one message of OPAL; a larger one is lost between its server and its clients without a word."""

_LOOK_AGAIN_SECONDS = 0.03
_LOOKS = 30
"""Before it is published again: what OPAL is given while a client is away never reaches that client."""


class OpalFeed:
    """Publishes documents as data updates, and waits until they are in OPA.

    Args:
        url: of the OPAL server.
        client: the OPA in which documents have to arrive.
        timeout_seconds: longest wait for the OPAL server; whoever asks bounds the wait for the arrival.
        token: sent as a bearer token when it is not empty.
    """

    def __init__(self, url: str, client: OpaClient, timeout_seconds: float, token: str = "") -> None:
        self._url = f"{url.rstrip('/')}/data/config"
        self._client = client
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        self._http = httpx.AsyncClient(timeout=timeout_seconds, headers=headers, trust_env=False)

    async def put(self, path: str, body: bytes, stamp: str) -> None:
        """Publish a document, and return when OPA has it.

        Raises:
            OpaFault: it is too large, or the OPAL server does not take it.
        """
        entry = b'{"url":"","topics":["%s"],"save_method":"PUT","dst_path":"/%s","data":%s}'
        update = b'{"reason":"another state","entries":[%s]}' % (entry % (TOPIC.encode(), path.encode(), body))
        if len(update) > MOST_BYTES:
            raise OpaFault(f"OPAL takes at most {MOST_BYTES} bytes: empty OPAL_SERVER_URL, for OPA to be fed directly")
        while True:  # until whoever asked has waited long enough
            await self._publish(update)
            for _ in range(_LOOKS):
                if await self._client.stamp_at(path) == stamp:
                    return
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _publish(self, update: bytes) -> None:
        try:
            response = await self._http.post(self._url, content=update)
        except httpx.HTTPError as error:
            raise OpaFault(f"OPAL_SERVER_URL: OPAL cannot be reached ({type(error).__name__})") from None
        if response.status_code in {401, 403}:
            raise OpaFault("OPAL refuses this program: OPAL_TOKEN is missing or wrong")
        if response.status_code != 200:
            raise OpaFault(f"OPAL answered with status {response.status_code}")

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

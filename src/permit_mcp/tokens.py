"""Verifying access tokens that an OAuth authorization server signs: for ``permit-mcp serve --http`` and servers like it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.provider import AccessToken

from permit_core.errors import ConfigurationError

logger = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Signatures by a key pair alone: with a shared secret, whoever verifies could also sign."""

KEYS_SECONDS = 3600.0
"""How long fetched keys are taken for the issuer's."""
AGAIN_SECONDS = 30.0
"""How soon keys are fetched again for a token whose key is not among them."""
FETCH_SECONDS = 5.0
MAX_BYTES = 1_000_000
CHUNK = 65_536
MAX_TOKEN = 16_000
LEEWAY_SECONDS = 30

_METADATA = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"


class JwksVerifier:
    """Takes access tokens of one issuer for one audience, signed with a key that the issuer publishes.

    Args:
        issuer: the authorization server's URL, exactly as tokens name it (``iss``).
        audience: the URL of this server, as tokens name whom they are for (``aud``).
        jwks_uri: where the issuer publishes its keys; looked up in the issuer's metadata when empty.

    Raises:
        ConfigurationError: ``issuer`` or ``audience`` is no URL, or keys would be fetched in the clear.
    """

    def __init__(self, issuer: str, audience: str, jwks_uri: str = "") -> None:
        self.issuer, self.audience = _url(issuer, "issuer"), _url(audience, "audience")
        self._jwks_uri = _url(jwks_uri, "jwks_uri") if jwks_uri else ""
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._fetching = anyio.Lock()

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token, verified; None when it is not one to take, or the issuer's keys cannot be had."""
        if len(token) > MAX_TOKEN:
            return None
        for newest in (False, True):
            keys = await self._current_keys(newest=newest)
            if keys is None:
                return None
            try:
                claims = self._claims(token, keys)
            except _UnknownKey:
                continue
            except (JoseError, ValueError, TypeError) as error:
                logger.info("an access token is not taken: %s", type(error).__name__)
                return None
            return self._read(token, claims)
        return None

    def _claims(self, token: str, keys: KeySet) -> Mapping[str, Any]:
        def key_of(obj: Any) -> Any:
            wanted = obj.headers().get("kid")
            known = [key for key in keys.keys if key.kid == wanted] if wanted else keys.keys
            if len(known) != 1:
                raise _UnknownKey
            return known[0]

        decoded = jwt.decode(token, key_of, algorithms=ALGORITHMS)
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(decoded.claims)
        return decoded.claims

    def _read(self, token: str, claims: Mapping[str, Any]) -> AccessToken | None:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            return None
        client = claims.get("client_id") or claims.get("azp") or ""
        scopes = claims.get("scope")
        return AccessToken(
            token=token,
            client_id=client if isinstance(client, str) else "",
            scopes=scopes.split() if isinstance(scopes, str) else [],
            expires_at=int(claims["exp"]),
            resource=self.audience,
            subject=subject,
            claims=dict(claims),
        )

    async def _current_keys(self, *, newest: bool) -> KeySet | None:
        async with self._fetching:
            age = time.monotonic() - self._fetched_at
            if self._keys is not None and age < (AGAIN_SECONDS if newest else KEYS_SECONDS):
                return self._keys
            if self._keys is None and self._fetched_at and age < AGAIN_SECONDS / 10:
                return None  # it failed a moment ago
            self._fetched_at = time.monotonic()
            try:
                self._keys = await self._fetch()
            except _CANNOT_BE_HAD as error:
                # What an issuer that is away has published stays true for a while; a token of another key does not count.
                logger.warning("the keys of %s cannot be had: %s", self.issuer, type(error).__name__)
            return self._keys

    async def _fetch(self) -> KeySet:
        with anyio.fail_after(FETCH_SECONDS * 2):
            return await self._fetch_now()

    async def _fetch_now(self) -> KeySet:
        async with httpx2.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False) as client:
            uri = self._jwks_uri or await self._find(client)
            return KeySet.import_key_set(await _json(client, uri))  # type: ignore[arg-type]

    async def _find(self, client: httpx2.AsyncClient) -> str:
        for path in _METADATA:
            try:
                found = await _json(client, self.issuer.rstrip("/") + path)
            except (httpx2.HTTPError, ValueError):
                continue
            if found.get("issuer") == self.issuer:
                return _url(str(found["jwks_uri"]), "jwks_uri")
        raise ValueError("no metadata")


_CANNOT_BE_HAD = (
    httpx2.HTTPError, httpx2.InvalidURL, JoseError, ConfigurationError, ValueError, KeyError, TypeError, RecursionError,
    TimeoutError,
)  # fmt: skip
"""What can be wrong with an issuer's answer, the URL that it names among it."""


class _UnknownKey(Exception):
    """No published key is the one that a token names."""


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    content = bytearray()
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes(CHUNK):
            content += part
            if len(content) > MAX_BYTES:
                raise ValueError("too large")
    found = json.loads(content)
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _url(text: str, name: str) -> str:
    parts = urlsplit(text)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ConfigurationError(f"{name}: {text!r} is no http or https URL")
    if parts.scheme == "http" and not local:
        raise ConfigurationError(f"{name}: {text!r} must be https; http is for this machine alone")
    return text

"""An authorization server's public side on this machine: metadata, keys, and tokens signed with them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey


class TokenIssuer:
    """Serves metadata and keys, and signs tokens. ``asked`` counts how often keys were fetched."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = 0
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.pages: dict[str, Any] = {}

    def turn_key(self) -> None:
        """Sign with a new key from now on, and publish it alone."""
        self.key = ECKey.generate_key("P-256", {"kid": "two"})

    def token(self, subject: str, audience: Any, *, key: Any = None, header: Any = None, **claims: Any) -> str:
        """An access token; claims that are None are left out."""
        now = int(time.time())
        body = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + 300, "client_id": "agent-7"}
        body = {name: value for name, value in (body | claims).items() if value is not None}
        signed_with = key or self.key
        return jwt.encode(header or {"alg": "ES256", "kid": self.key.kid}, body, signed_with)

    def page(self, path: str) -> dict[str, Any] | None:
        """What is served at a path: of ``pages``, else what is right."""
        if path in self.pages:
            return self.pages[path]  # type: ignore[no-any-return]
        if path == "/.well-known/oauth-authorization-server":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            self.asked += 1
            return {"keys": [self.key.as_dict(private=False)]}
        return None


@contextmanager
def issuing() -> Iterator[TokenIssuer]:
    """An issuer on 127.0.0.1, as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = issuer.page(self.path)
            body = json.dumps(page or {}).encode()
            self.send_response(200 if page is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = TokenIssuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""An MCP server over real HTTP on 127.0.0.1, and clients with access tokens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import JWTVerifier
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl

from permit_mcp.tokens import JwksVerifier
from tests.support.token_issuer import TokenIssuer

WAIT_SECONDS = 30


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def authenticating_mcp(kind: str, issuer: TokenIssuer, url: str) -> Any:
    """An empty server of one kind that takes the issuer's tokens for its URL alone."""
    if kind == "fastmcp":
        verifier = JWTVerifier(
            jwks_uri=f"{issuer.url}/keys", issuer=issuer.url, audience=url, algorithm="ES256", ssrf_safe=False
        )
        return FastMCP("tools", auth=verifier)
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(issuer.url), resource_server_url=AnyHttpUrl(url), validate_token_resource=True
    )
    return MCPServer("tools", log_level="ERROR", token_verifier=JwksVerifier(issuer.url, url), auth=auth)


@asynccontextmanager
async def over_http(mcp: Any, port: int) -> AsyncIterator[str]:
    """Serve at ``/mcp`` as long as the block lasts; the URL."""
    app = mcp.streamable_http_app() if isinstance(mcp, MCPServer) else mcp.http_app(path="/mcp")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    try:
        with anyio.fail_after(WAIT_SECONDS):
            while not server.started:
                if serving.done():
                    await serving
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        with anyio.fail_after(WAIT_SECONDS):
            await serving


@asynccontextmanager
async def signed_in(url: str, token: str, era: str) -> AsyncIterator[Client]:
    """A client whose requests carry an access token."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=WAIT_SECONDS) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=era, cache=None, read_timeout_seconds=WAIT_SECONDS) as client:
            yield client

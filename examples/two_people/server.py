"""One server over HTTP for two people, told apart by their access tokens: docs/serve-http.md.

Usage: python server.py HOST:PORT ISSUER_URL
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

from permit_mcp import ByToken, PermitServer
from permit_mcp.tokens import JwksVerifier

HERE = Path(__file__).parent


def make(address: str, issuer: str) -> MCPServer:
    """The server that answers at ``http://address/mcp`` to people whose tokens ``issuer`` signs."""
    here = f"http://{address}/mcp"
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(issuer), resource_server_url=AnyHttpUrl(here), validate_token_resource=True
    )
    mcp = MCPServer("notes", token_verifier=JwksVerifier(issuer, here), auth=auth)
    people = ByToken({(issuer, "ann@example.com"): "ann", (issuer, "ben@example.com"): "ben"})
    permit = PermitServer(mcp, acting_user=people, policy=HERE / "policy.yaml", facts=HERE / "facts.yaml")
    notes: list[str] = []

    @mcp.tool()
    @permit.guard("read", "notes")
    async def read_notes() -> list[str]:
        """Read all notes."""
        return notes

    @mcp.tool()
    @permit.guard("write", "notes")
    async def write_note(text: str) -> str:
        """Add a note."""
        notes.append(text)
        return "written"

    return mcp


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":")
    make(sys.argv[1], sys.argv[2]).run("streamable-http", host=host, port=int(port))

"""A files server whose deletions wait for a human's yes: docs/guard.md."""

from __future__ import annotations

import os
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from permit_mcp import PermitServer

HERE = Path(__file__).parent
FILES = Path(os.environ.get("FILES", HERE / "files"))

mcp = MCPServer("files")
permit = PermitServer(
    mcp, acting_user=os.environ.get("ACTING_USER", "clerk"), policy=HERE / "policy.yaml", facts=HERE / "facts.yaml"
)


def _path(name: str) -> Path:
    path = FILES / name
    if path.parent != FILES:
        raise ToolError("There is no such file.")
    return path


@mcp.tool()
@permit.open
def list_files() -> list[str]:
    """List the files there are."""
    return sorted(path.name for path in FILES.iterdir())


@mcp.resource("files://{name}")
@permit.guard("read", "files:{name}")
def read_file(name: str) -> str:
    """The text of a file."""
    return _path(name).read_text()


@mcp.tool()
@permit.guard("delete", "files:{name}", confirm={"when": "always", "by": "reviewer"})
def delete_file(name: str) -> str:
    """Delete a file for good."""
    _path(name).unlink()
    return f"deleted {name}"


if __name__ == "__main__":
    mcp.run()

"""Access requests and operation approvals as tools for any MCP server."""

from permit_mcp.permit_server import PermitServer

__all__ = ["PermitServer"]

"""Access requests and operation approvals as tools for any MCP server."""

from permit_mcp.permit_server import PermitServer
from permit_mcp.permit_tool import PermitTool

__all__ = ["PermitServer", "PermitTool"]

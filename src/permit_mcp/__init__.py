"""A policy over everything on an MCP server, and people who are asked."""

from permit_mcp.acting import ByToken, VerifiedToken
from permit_mcp.permit_server import PermitServer
from permit_mcp.permit_tool import ACTS, DECIDES, LOOKS, PermitTool

__all__ = ["ACTS", "DECIDES", "LOOKS", "ByToken", "PermitServer", "PermitTool", "VerifiedToken"]

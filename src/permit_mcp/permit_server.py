"""``PermitServer``: the nine tools, and the rules for all tools, on a server of the host's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mcp.server.mcpserver import MCPServer

from permit_core.audit.hooks import RecordHook
from permit_core.bootstrap import Core
from permit_core.settings import Settings
from permit_mcp.access_request_tools import AccessRequestTools
from permit_mcp.acting_user import ActingUser
from permit_mcp.core_source import CoreSource
from permit_mcp.enforcement import Enforcement
from permit_mcp.operation_approval_tools import OperationApprovalTools
from permit_mcp.permit_tool import PermitTool
from permit_mcp.resource_tools import ResourceTools
from permit_mcp.sdk_host import SdkHost

if TYPE_CHECKING:
    from fastmcp import FastMCP


class Host(Protocol):
    """What a kind of server must offer."""

    def add(self, tool: PermitTool, acting: ActingUser) -> None:
        """Put a tool on the server."""
        ...

    def guard(self, enforcement: Enforcement) -> None:
        """Enforce on every call of every tool, those of the host's own included."""
        ...


class PermitServer:
    """Access requests and operation approvals as tools of ``mcp``.

    The host adds tools of its own to ``mcp`` as always, before or after; what :mod:`permit_mcp.enforcement` says holds
    for them too. Tools that need to know who acts are added with :meth:`add_tool`.

    Args:
        mcp: an ``MCPServer`` of the MCP SDK, or a ``FastMCP`` of the ``fastmcp`` package.
        exclude_tools: names of built-in tools not to register.
        acting_user: directory key of the one user this server acts for. The tools then take no ``user_id``, only the
            tools of that user's roles are there, and a call that names a user is refused. None: each call names its
            user in ``user_id``; for an operator's own use.
        core: an open core; the caller closes it.
        settings: from which a core is opened on first use, when none is given; read from the environment when None.
        on_record: is given each audit record once it is committed, in order: one's own structured log. What it raises
            is logged, and nothing waits for it.

    Raises:
        TypeError: ``mcp`` is neither kind of server.
        ValueError: ``exclude_tools`` names a tool that there is not.
        ConfigurationError: ``acting_user`` cannot be a user's key.
    """

    def __init__(
        self,
        mcp: MCPServer[Any] | FastMCP[Any],
        exclude_tools: Collection[str] | None = None,
        *,
        acting_user: str | None = None,
        core: Core | None = None,
        settings: Settings | None = None,
        on_record: RecordHook | None = None,
    ) -> None:
        self._cores = CoreSource(core, settings, on_record)
        self._acting = ActingUser(self._cores, acting_user)
        groups = (ResourceTools(self._cores), AccessRequestTools(self._cores), OperationApprovalTools(self._cores))
        self.tools: Mapping[str, PermitTool] = {tool.name: tool for group in groups for tool in group.tools()}
        """Every built-in tool by name, the excluded ones too."""
        excluded = frozenset(exclude_tools or ())
        if unheard_of := sorted(excluded - self.tools.keys()):
            raise ValueError(f"exclude_tools: there is no tool {', '.join(unheard_of)}")
        self._host = _host_of(mcp)
        self._host.guard(Enforcement(self._acting, self._cores))
        for tool in self.tools.values():
            if tool.name not in excluded:
                self.add_tool(tool)

    def add_tool(self, tool: PermitTool) -> None:
        """Put a tool on the server that acts for the bound user, or for whom ``user_id`` names."""
        self._host.add(tool, self._acting)

    def bind(self, acting_user: str) -> None:
        """Say for whom a server acts that was made with ``acting_user`` :data:`~permit_mcp.acting_user.LATER`.

        Raises:
            ConfigurationError: it cannot be a user's key, or it was said before.
        """
        self._acting.bind(acting_user)

    async def close(self) -> None:
        """Close the core, if it was opened here."""
        await self._cores.close()


def _host_of(mcp: Any) -> Host:
    if isinstance(mcp, MCPServer):
        return SdkHost(mcp)
    if any(kind.__module__.partition(".")[0] == "fastmcp" for kind in type(mcp).__mro__):
        from permit_mcp.fastmcp_host import FastmcpHost  # only then is fastmcp needed

        return FastmcpHost(mcp)
    raise TypeError(f"PermitServer wants an MCPServer or a FastMCP, not {type(mcp).__name__}")

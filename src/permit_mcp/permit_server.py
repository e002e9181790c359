"""``PermitServer``: tools to ask humans, and the rules for everything on a server of the host's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from mcp.server.mcpserver import MCPServer

from permit_core.access import Decision
from permit_core.errors import ConfigurationError
from permit_core.policy.tool_rules import ToolRule
from permit_core.settings import Settings
from permit_mcp.acting import Acting, ByToken, acting_now
from permit_mcp.core_source import CoreSource
from permit_mcp.declarations import Declarations, FindResource, Registered, guard_rule, rule_of
from permit_mcp.enforcement import Enforcement
from permit_mcp.judging import Judging, check_now
from permit_mcp.permit_tool import PermitTool
from permit_mcp.refusals import Present
from permit_mcp.request_tools import RequestTools
from permit_mcp.resource_tools import ResourceTools
from permit_mcp.sdk_host import SdkHost

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from permit_core.audit.hooks import RecordHook
    from permit_core.bootstrap import Core

Function = TypeVar("Function")


class Host(Protocol):
    """What a kind of server must offer."""

    def add(self, tool: PermitTool, function: Callable[..., Any]) -> None:
        """Put a tool on the server."""
        ...

    def registered(self) -> Iterable[Registered]:
        """Everything that is on the server now."""
        ...

    def authentication(self) -> bool:
        """Whether requests over HTTP have a verified access token; refuses a verifier that takes everybody's."""
        ...

    def guard(self, enforcement: Enforcement, present: Present | None) -> None:
        """Enforce on every call of every tool, resource and prompt, those of the host's own included."""
        ...


class PermitServer:
    """A policy over everything on ``mcp``, and tools by which people are asked.

    The host adds tools, resources and prompts of its own to ``mcp`` as always, before or after, and declares what they
    mean with :meth:`guard` or :meth:`open`, or in the policy. What nobody declared does not run. Tools that ask the
    decision point themselves are added with :meth:`add_tool`.

    Args:
        mcp: an ``MCPServer`` of the MCP SDK, or a ``FastMCP`` of the ``fastmcp`` package.
        exclude_tools: names of built-in tools not to register.
        acting_user: directory key of the one user this server acts for; or :class:`~permit_mcp.acting.ByToken`: each
            request acts for whom its verified access token belongs to. The tools then take no ``user_id``, only what that
            user may use is there, and a call that names another user is refused. None: each call names its user in
            ``user_id``; for an operator's own use.
        policy: the policy file; the settings' when None.
        facts: the users, things and roles that a new database starts with; the settings' when None.
        present: from a tool's name and the body of an answer or refusal to the text that is shown for it.
        core: an open core; the caller closes it.
        settings: from which a core is opened, when none is given; read from the environment when None.
        on_record: is given each audit record once it is committed, in order: one's own structured log. What it raises
            is logged, and nothing waits for it.

    Raises:
        TypeError: ``mcp`` is neither kind of server.
        ValueError: ``exclude_tools`` names a tool that there is not; or ``core`` is given together with what opens one.
        ConfigurationError: ``acting_user`` cannot be a user's key; policy or facts are wrong; or the server authenticates
            its callers, and is neither bound nor tells them apart, or takes tokens of other servers.
    """

    def __init__(
        self,
        mcp: MCPServer[Any] | FastMCP[Any],
        exclude_tools: Collection[str] | None = None,
        *,
        acting_user: str | ByToken | None = None,
        policy: str | PathLike[str] | None = None,
        facts: str | PathLike[str] | None = None,
        present: Present | None = None,
        core: Core | None = None,
        settings: Settings | None = None,
        on_record: RecordHook | None = None,
    ) -> None:
        self._host = _host_of(mcp)
        self._cores = CoreSource(core, _settings(core, settings, policy, facts), on_record)
        self._acting = Acting(self._cores, acting_user)
        self._refuse_confusion()
        groups = (ResourceTools(self._cores), RequestTools(self._cores))
        self.tools: Mapping[str, PermitTool] = {tool.name: tool for group in groups for tool in group.tools()}
        """Every built-in tool by name, the excluded ones too."""
        excluded = frozenset(exclude_tools or ())
        if unheard_of := sorted(excluded - self.tools.keys()):
            raise ValueError(f"exclude_tools: there is no tool {', '.join(unheard_of)}")
        self._declarations = Declarations()
        judging = Judging(self._declarations, self._host.registered)
        self._cores.must_fit(judging.fits)
        self._enforcement = Enforcement(self._acting, self._cores, self._declarations, judging)
        self._host.guard(self._enforcement, present)
        for tool in self.tools.values():
            if tool.name not in excluded:
                self.add_tool(tool)

    def add_tool(self, tool: PermitTool) -> None:
        """Put a tool on the server that asks the decision point itself, for whoever acts."""
        self._declarations.own_tools.add(tool.name)
        self._host.add(tool, tool.for_user(unbound=self._acting.is_unbound))

    def guard(self, action: str, resource: str | FindResource, **rule: Any) -> Callable[[Function], Function]:
        """Declare what a tool, a resource or a prompt does, so that the policy decides on each call of it.

        It makes no difference whether it stands above or below ``@mcp.tool()``.

        Args:
            action: an action of the resource's type.
            resource: what it is done with, ``files:{name}`` with the name of an argument, or a type; or a function from
                the arguments to such a text.
            **rule: what a declaration in the policy can say besides: ``confirm``, ``never``, ``quota``, ``arguments``,
                ``reads``, ``outward``, ``read_only``.

        Raises:
            ConfigurationError: that is no declaration. Whether it fits policy and tool is found out at the start.
        """
        declared = guard_rule(action, resource, rule)

        def remember(function: Function) -> Function:
            self._declarations.add(function, declared, resource if callable(resource) else None)
            return function

        return remember

    @overload
    def open(self, function: Function, /) -> Function: ...

    @overload
    def open(self, /, **rule: Any) -> Callable[[Function], Function]: ...

    def open(self, function: Any = None, /, **rule: Any) -> Any:
        """Declare that nothing has to be allowed for a tool, a resource or a prompt.

        With or without brackets: ``@permit.open``, or ``@permit.open(reads=["untrusted"])``.

        Raises:
            ConfigurationError: that is no declaration.
        """
        declared = rule_of(ToolRule, {"open": True, **rule})

        def remember(function: Any) -> Any:
            self._declarations.add(function, declared)
            return function

        return remember if function is None else remember(function)

    async def check(self, action: str, resource: str, **call: Any) -> Decision:
        """Within a tool: whether whoever acts may do something. The decision is on record with the call.

        Args:
            action: what would be done.
            resource: with what, ``type:key``, or a type.
            **call: what conditions call ``call.``.

        Raises:
            NotFound: ``no_such_user``: the call acts for nobody.
            InvalidInput: the policy knows no such action on such a thing.
            StoreError: it cannot be found out.
        """
        actor = acting_now()
        if actor is None:
            raise AssertionError("acting_now raises")
        return await check_now(await self._cores.get(), actor, action, resource, call)

    async def start(self) -> None:
        """Find out what cannot work before anything is served.

        Servers do it when they start, and leave the database to the first request that needs it. What is opened here is
        closed by :meth:`close`.

        Raises:
            ConfigurationError: settings, policy and declarations do not fit together.
            StoreError: the database is unreachable.
        """
        self._cores.keep()
        await self._enforcement.start()
        await self._cores.get()

    async def core(self) -> Core:
        """The core that decides, asks and remembers; opened now, if it was not before, and closed by :meth:`close`.

        Raises:
            ConfigurationError: settings or policy are wrong.
            StoreError: the database is unreachable.
        """
        self._cores.keep()
        return await self._cores.get()

    def bind(self, acting_user: str) -> None:
        """Say for whom a server acts that was made with ``acting_user`` :data:`~permit_mcp.acting.LATER`.

        Raises:
            ConfigurationError: it cannot be a user's key, or it was said before.
        """
        self._acting.bind(acting_user)

    async def close(self) -> None:
        """Close the core, if it was opened here. One that only served is closed at the end of the server."""
        await self._cores.close()

    def _refuse_confusion(self) -> None:
        authenticates = self._host.authentication()
        if authenticates and self._acting.is_unbound:
            raise ConfigurationError(
                "this server authenticates its callers, and then believes what they write into user_id: pass "
                "acting_user=ByToken(...), so that each acts for themselves"
            )
        if self._acting.needs_token and not authenticates:
            raise ConfigurationError(
                "acting_user=ByToken(...) needs a server that verifies access tokens: give it auth"
            )


def _settings(
    core: Core | None,
    settings: Settings | None,
    policy: str | PathLike[str] | None,
    facts: str | PathLike[str] | None,
) -> Settings | None:
    named = {"policy_file": policy, "facts_file": facts}
    given = {name: str(Path(path).absolute()) for name, path in named.items() if path is not None}
    if core is not None:
        if given or settings is not None:
            raise ValueError("core is given: it has its own settings, policy and facts")
        return None
    return settings.model_copy(update=given) if settings is not None else Settings.load(**given)


def _host_of(mcp: Any) -> Host:
    if isinstance(mcp, MCPServer):
        return SdkHost(mcp)
    if any(kind.__module__.partition(".")[0] == "fastmcp" for kind in type(mcp).__mro__):
        from permit_mcp.fastmcp_host import FastmcpHost  # only then is fastmcp needed

        return FastmcpHost(mcp)
    raise TypeError(f"PermitServer wants an MCPServer or a FastMCP, not {type(mcp).__name__}")

"""``PermitServer`` on the MCP SDK's own ``MCPServer``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.resources import ResourceTemplate
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, SERVER_INFO_META_KEY, CallToolResult, Implementation, InputRequiredResult
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from permit_core.canonical import definition_digest
from permit_core.errors import ConfigurationError, PermitError
from permit_core.policy.guards import GuardKind
from permit_core.views import plain
from permit_mcp.acting import VerifiedToken
from permit_mcp.declarations import Registered
from permit_mcp.enforcement import AskFirst, Call, Enforcement, Listing, Outcome, Unknown, WrongArguments
from permit_mcp.in_client import InClient, question
from permit_mcp.permit_tool import PermitTool
from permit_mcp.refusals import Present, answer_to, presented, protocol_error, refusal_in
from permit_mcp.signatures import arguments_of

Context = ServerRequestContext[Any, Any]

NOT_DECLARED = "[not declared: every call is refused until the policy says what this is]"

_LISTS: Mapping[str, tuple[GuardKind, str, str]] = {
    "tools/list": ("tools", "tools", "name"),
    "resources/list": ("mcp_resources", "resources", "uri"),
    "resources/templates/list": ("mcp_resources", "resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "prompts", "name"),
}
"""Of each listing: what it lists, the key of the list, and the key of a name in it."""


class SdkHost:
    """Registers tools, and stands as middleware between the wire and everything on the server."""

    def __init__(self, mcp: MCPServer[Any]) -> None:
        self._mcp = mcp
        # The managers are the one way to a single tool, resource or prompt with its function; the public lists build
        # everything anew each time.
        self._tools = mcp._tool_manager  # noqa: SLF001
        self._resources = mcp._resource_manager  # noqa: SLF001
        self._prompts = mcp._prompt_manager  # noqa: SLF001

    def add(self, tool: PermitTool, function: Callable[..., Any]) -> None:
        """Put a tool on the server."""
        self._mcp.add_tool(
            function,
            name=tool.name,
            title=tool.title,
            description=tool.description,
            annotations=tool.annotations,
            meta=dict(tool.meta) if tool.meta else None,
            structured_output=True,
        )

    def registered(self) -> Iterator[Registered]:
        """Everything that is on the server now."""
        for tool in self._tools.list_tools():
            yield Registered("tools", tool.name, tool.fn, tool.parameters)
        for resource in self._resources.list_resources():
            yield Registered("mcp_resources", str(resource.uri), getattr(resource, "fn", None), None)
        for template in self._resources.list_templates():
            yield Registered("mcp_resources", template.uri_template, template.fn, template.parameters)
        for prompt in self._prompts.list_prompts():
            yield Registered("prompts", prompt.name, prompt.fn, prompt_schema(prompt.arguments, _real(prompt)))

    def authentication(self) -> bool:
        """Whether requests over HTTP have an access token that was verified.

        Raises:
            ConfigurationError: tokens that were issued for another server would be taken.
        """
        settings = self._mcp.settings.auth
        if settings is None:
            return False
        verifier = getattr(self._mcp, "_token_verifier", None)
        checks_itself = settings.validate_token_resource is False and getattr(verifier, "audience", None)
        if not settings.validate_token_resource and not checks_itself:
            raise ConfigurationError(
                "tokens issued for another server would be taken: set AuthSettings.validate_token_resource=True; or False "
                "where the token verifier compares the audience itself, and says which in its attribute `audience`"
            )
        return True

    def guard(self, enforcement: Enforcement, present: Present | None) -> None:
        """Enforce on everything that comes in from now on, and find out at the start what cannot work."""
        _Guard(self, self._mcp, enforcement, present).install()

    def read_tool(self, name: str, arguments: dict[str, Any], token: VerifiedToken | None) -> Call:
        """A call of a tool, or of none."""
        tool = self._tools.get_tool(name)
        if tool is None:
            return Call("tools", name, arguments, None, lambda: arguments, str, token)

        def validated() -> Mapping[str, Any]:
            return or_wrong(lambda: tool.fn_metadata.validate_arguments(arguments))

        def definition() -> str:
            annotations = tool.annotations.model_dump(mode="json", exclude_none=True) if tool.annotations else None
            return definition_digest(name, tool.description, tool.parameters, tool.output_schema, annotations)

        return Call("tools", name, arguments, tool.parameters, validated, definition, token)

    def read_resource(self, uri: str, token: VerifiedToken | None) -> Call:
        """A read of a resource, or of none."""
        known = {str(resource.uri): resource for resource in self._resources.list_resources()}
        if uri in known:
            said = known[uri].description or ""
            return Call("mcp_resources", uri, {}, {}, dict, lambda: definition_digest(uri, said, {}), token)
        for template in self._resources.list_templates():
            if (found := template.matches(uri)) is not None:
                return _read_template(template, uri, dict(found), token)
        return Call("mcp_resources", uri, {}, None, dict, str, token)

    def read_prompt(self, name: str, arguments: dict[str, Any], token: VerifiedToken | None) -> Call:
        """A call of a prompt, or of none."""
        prompt = self._prompts.get_prompt(name)
        if prompt is None:
            return Call("prompts", name, arguments, None, lambda: arguments, str, token)
        real, said = _real(prompt), prompt.description or ""
        schema = prompt_schema(prompt.arguments, real)

        def validated() -> Mapping[str, Any]:
            return or_wrong(lambda: real.validate_python(arguments))

        return Call("prompts", name, arguments, schema, validated, lambda: definition_digest(name, said, schema), token)


class _Guard:
    def __init__(self, host: SdkHost, mcp: MCPServer[Any], enforcement: Enforcement, present: Present | None) -> None:
        self._host, self._mcp, self._enforcement, self._present = host, mcp, enforcement, present

    def install(self) -> None:
        self._mcp.middleware.append(self._middleware)
        low = self._mcp._lowlevel_server  # noqa: SLF001 - where a server's start and end can be seen
        before = low.lifespan

        @asynccontextmanager
        async def lifespan(server: Any) -> AsyncIterator[Any]:
            async with self._enforcement.serving(), before(server) as state:
                yield state

        low.lifespan = lifespan

    async def _middleware(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        params = ctx.params or {}
        if ctx.request_id is None:
            return await call_next(ctx)
        if ctx.method in _LISTS:
            return await self._list(ctx, call_next)
        match ctx.method, params.get("name"), params.get("uri"), params.get("arguments"):
            case "tools/call", str() as name, _, (Mapping() | None) as arguments:
                return await self._call(ctx, call_next, name, dict(arguments or {}))
            case "resources/read" | "resources/subscribe", _, str() as uri, _:
                return await self._other(ctx, call_next, self._host.read_resource(uri, _token(ctx)))
            case "prompts/get", str() as name, _, (Mapping() | None) as arguments:
                call = self._host.read_prompt(name, dict(arguments or {}), _token(ctx))
                return await self._other(ctx, call_next, call)
            case "completion/complete", _, _, _:
                await check_completion(self._enforcement, params.get("ref"), _token(ctx))
            case "subscriptions/listen", _, _, _:
                await self._check_subscriptions(ctx, params.get("notifications"))
        return await call_next(ctx)  # nothing of ours; or malformed, and the SDK refuses it before anything is found

    async def _check_subscriptions(self, ctx: Context, wanted: Any) -> None:
        """Who is told that a resource changed must be one who may read it."""
        uris = wanted.get("resourceSubscriptions") if isinstance(wanted, Mapping) else None
        for uri in uris if isinstance(uris, list) else ():
            await self._other(ctx, _nothing, self._host.read_resource(str(uri), _token(ctx)))

    async def _list(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        kind, where, key = _LISTS[ctx.method]
        listed = await call_next(ctx)
        if not isinstance(listed, dict) or where not in listed:
            return listed
        try:
            names = [str(entry[key]) for entry in listed[where]]
            seen = await self._enforcement.listing(kind, names, _token(ctx))
        except PermitError as error:
            raise protocol_error(error, ctx.method) from None
        return {
            **listed,
            where: [
                _entry(entry, seen[str(entry[key])]) for entry in listed[where] if seen[str(entry[key])] != "hidden"
            ],
        }

    async def _call(self, ctx: Context, call_next: CallNext, name: str, arguments: dict[str, Any]) -> HandlerResult:
        try:
            call = replace(self._host.read_tool(name, arguments, _token(ctx)), client=InClient(ctx))
            answer = await self._enforcement.guarded(call, lambda: call_next(ctx), _outcome)
        except AskFirst as asked:
            return self._wire(ctx, question(asked))
        except PermitError as error:
            return self._wire(ctx, answer_to(error, name, self._present))
        if self._present is None or not isinstance(answer, dict) or "structuredContent" not in answer:
            return answer
        shown = presented(name, CallToolResult.model_validate(answer), self._present)
        return {
            **answer,
            "content": [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in shown.content],
        }

    async def _other(self, ctx: Context, call_next: CallNext, call: Call) -> HandlerResult:
        name = call.shown or call.name
        try:
            return await self._enforcement.guarded(call, lambda: call_next(ctx), _outcome)
        except Unknown:
            if call.kind == "prompts":
                raise MCPError(INVALID_PARAMS, f"Unknown prompt: {name}") from None
            raise MCPError(INVALID_PARAMS, f"Unknown resource: {name}", {"uri": name}) from None
        except PermitError as error:
            raise protocol_error(error, name) from None

    def _wire(self, ctx: Context, result: CallToolResult | InputRequiredResult) -> dict[str, Any]:
        """A result in the envelope in which the SDK would send it; it leaves that to a middleware that answers."""
        body = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            body.pop("resultType", None)  # nothing of that, and no stamp, in the era of the handshake
            return body
        server = Implementation(
            name=self._mcp.name,
            title=self._mcp.title,
            description=self._mcp.description,
            version=self._mcp.version,
            website_url=self._mcp.website_url,
            icons=self._mcp.icons,
        )
        stamp = {SERVER_INFO_META_KEY: server.model_dump(by_alias=True, mode="json", exclude_none=True)}
        body["_meta"] = {**body.get("_meta", {}), **stamp}
        return body


async def check_completion(enforcement: Enforcement, ref: Any, token: VerifiedToken | None) -> None:
    """Let values be completed for what is declared and there for whoever asks, and for nothing else.

    Raises:
        MCPError: it is not; or that cannot be found out.
    """
    named = ref if isinstance(ref, Mapping) else {}
    kind: GuardKind = "prompts" if named.get("type") == "ref/prompt" else "mcp_resources"
    name = str(named.get("name" if kind == "prompts" else "uri"))
    try:
        seen = await enforcement.listing(kind, [name], token)
    except PermitError as error:
        raise protocol_error(error, "completion/complete") from None
    if seen[name] != "shown":
        raise MCPError(INVALID_PARAMS, f"There is nothing to complete for {plain(name)[:200]}")


async def _nothing(_ctx: Context) -> HandlerResult:
    return {}


def _real(made: ResourceTemplate | Prompt) -> TypeAdapter[dict[str, Any]]:
    return arguments_of(made.fn, frozenset({made.context_kwarg or ""}))


def _read_template(template: ResourceTemplate, uri: str, values: dict[str, Any], token: VerifiedToken | None) -> Call:
    def validated() -> Mapping[str, Any]:
        return or_wrong(lambda: _real(template).validate_python(values))

    def definition() -> str:
        return definition_digest(template.uri_template, template.description or "", template.parameters)

    return Call("mcp_resources", template.uri_template, values, template.parameters, validated, definition, token, uri)


def or_wrong(validate: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What is validated; what a server's validation says is wrong as :class:`WrongArguments`."""
    try:
        return validate()
    except ValidationError as error:
        raise WrongArguments(each["loc"] for each in error.errors(include_url=False)) from None


def prompt_schema(arguments: Any, real: TypeAdapter[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A prompt's arguments as a schema: what its function gets where that is known, else the texts that come."""
    there = arguments or []
    texts = {
        "type": "object",
        "properties": {argument.name: {"type": "string"} for argument in there},
        "required": [argument.name for argument in there if argument.required],
    }
    return texts if real is None else {**texts, **real.json_schema()}


def _token(ctx: Context) -> VerifiedToken | None:
    """The verified token of this very request; what a session began with may be another one by now."""
    user = getattr(ctx.request, "scope", {}).get("user") if ctx.request is not None else None
    token = user.access_token if isinstance(user, AuthenticatedUser) else get_access_token()
    return None if token is None else VerifiedToken.of(token)


def _entry(entry: dict[str, Any], listing: Listing) -> dict[str, Any]:
    if listing == "shown":
        return entry
    return {**entry, "description": f"{NOT_DECLARED} {entry.get('description') or ''}".strip()}


def _outcome(answer: HandlerResult) -> Outcome:
    wire = answer if isinstance(answer, dict) else {}
    if wire.get("resultType") == "input_required":
        return Outcome("asked")
    return Outcome.read(bool(wire.get("isError")), refusal_in(wire.get("_meta")))

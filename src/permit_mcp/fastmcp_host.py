"""``PermitServer`` on the ``fastmcp`` package's ``FastMCP``. Imported only when such a server is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

from fastmcp import FastMCP
from fastmcp.exceptions import NotFoundError, PromptError
from fastmcp.prompts.base import Prompt, PromptResult
from fastmcp.prompts.function_prompt import FunctionPrompt
from fastmcp.resources.base import Resource, ResourceResult
from fastmcp.resources.template import FunctionResourceTemplate, ResourceTemplate
from fastmcp.server.auth.auth import AuthProvider, MultiAuth, OAuthProvider, RemoteAuthProvider
from fastmcp.server.dependencies import get_access_token, without_injected_parameters
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import InputRequiredToolResult, Tool, ToolResult
from fastmcp.tools.function_tool import FunctionTool
from fastmcp.utilities.versions import VersionSpec
from mcp.types import CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams

from permit_core.canonical import definition_digest
from permit_core.errors import ConfigurationError, PermitError
from permit_core.policy.guards import GuardKind
from permit_mcp.acting import VerifiedToken
from permit_mcp.declarations import Registered
from permit_mcp.enforcement import AskFirst, Call, Enforcement, Outcome, Unknown, WrongArguments
from permit_mcp.in_client import InClient, question
from permit_mcp.permit_tool import PermitTool
from permit_mcp.refusals import Present, answer_to, presented, protocol_error, refusal_in
from permit_mcp.sdk_host import NOT_DECLARED, check_completion, or_wrong, prompt_schema
from permit_mcp.signatures import arguments_of

T = TypeVar("T", bound=Tool | Resource | ResourceTemplate | Prompt)


class FastmcpHost:
    """Registers tools, and adds the middleware."""

    def __init__(self, mcp: FastMCP[Any]) -> None:
        self._mcp = mcp

    def add(self, tool: PermitTool, function: Callable[..., Any]) -> None:
        """Put a tool on the server."""
        self._mcp.tool(
            function,
            name=tool.name,
            title=tool.title,
            description=tool.description,
            annotations=tool.annotations,
            meta=dict(tool.meta) if tool.meta else None,
        )

    def registered(self) -> Iterator[Registered]:
        """What the host put on the server itself; what comes from mounted servers is known by its name alone."""
        for component in self._mcp.local_provider._components.values():  # noqa: SLF001 - the lists need a request
            function = getattr(component, "fn", None)
            match component:
                case Tool():
                    yield Registered("tools", component.name, function, component.parameters)
                case Resource():
                    yield Registered("mcp_resources", str(component.uri), function, None)
                case ResourceTemplate():
                    yield Registered("mcp_resources", component.uri_template, function, component.parameters)
                case Prompt():
                    yield Registered("prompts", component.name, function, _prompt_schema(component))

    def authentication(self) -> bool:
        """Whether requests over HTTP have an access token that was verified.

        Raises:
            ConfigurationError: tokens that were issued for another server would be taken.
        """
        if self._mcp.auth is None:
            return False
        if not _checks_audience(self._mcp.auth):
            raise ConfigurationError(
                f"tokens issued for another server would be taken: {type(self._mcp.auth).__name__} needs an audience"
            )
        return True

    def guard(self, enforcement: Enforcement, present: Present | None) -> None:
        """Enforce on everything that comes in from now on, and find out at the start what cannot work."""
        self._mcp.add_middleware(_Guard(self._mcp, enforcement, present))
        before = self._mcp._lifespan  # noqa: SLF001 - where a server's start and end can be seen

        @asynccontextmanager
        async def lifespan(server: Any) -> AsyncIterator[Any]:
            async with enforcement.serving(), before(server) as state:
                yield state

        self._mcp._lifespan = lifespan  # noqa: SLF001


class _Guard(Middleware):
    def __init__(self, mcp: FastMCP[Any], enforcement: Enforcement, present: Present | None) -> None:
        self._mcp, self._enforcement, self._present = mcp, enforcement, present

    async def on_list_tools(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Sequence[Tool]:
        return await self._seen("tools", await call_next(context), lambda tool: tool.name)

    async def on_list_resources(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Sequence[Resource]:
        return await self._seen("mcp_resources", await call_next(context), lambda resource: str(resource.uri))

    async def on_list_resource_templates(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Sequence[ResourceTemplate]:
        return await self._seen("mcp_resources", await call_next(context), lambda template: template.uri_template)

    async def on_list_prompts(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Sequence[Prompt]:
        return await self._seen("prompts", await call_next(context), lambda prompt: prompt.name)

    async def _seen(self, kind: GuardKind, listed: Sequence[T], name_of: Callable[[T], str]) -> list[T]:
        try:
            seen = await self._enforcement.listing(kind, map(name_of, listed), _token())
        except PermitError as error:
            raise protocol_error(error, kind) from None
        return [_entry(entry, seen[name_of(entry)]) for entry in listed if seen[name_of(entry)] != "hidden"]

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        if context.method == "completion/complete":
            message = context.message
            params = message if isinstance(message, dict) else message.model_dump(by_alias=True)
            await check_completion(self._enforcement, params.get("ref"), _token())
        return await call_next(context)

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        name = context.message.name
        tool = await self._mcp.get_tool(name, _version(context))
        try:
            call = self._read(name, tool, dict(context.message.arguments or {}))
            call = replace(call, client=_client(context))
            answer = await self._enforcement.guarded(call, lambda: call_next(context), _tool_outcome)
        except Unknown:
            # FastMCP's own answer to a tool that is not there.
            raise NotFoundError(f"Unknown tool: {name!r}") from None
        except AskFirst as asked:
            return InputRequiredToolResult(question(asked))
        except PermitError as error:
            return ToolResult.from_mcp_result(answer_to(error, name, self._present))
        if self._present is None or isinstance(answer, InputRequiredToolResult) or answer.structured_content is None:
            return answer
        shown = answer.model_copy() if hasattr(answer, "model_copy") else answer
        shown.content = [type(block)(**block.model_dump()) for block in self._shown(name, answer)]
        return shown

    def _shown(self, name: str, answer: ToolResult) -> Sequence[Any]:
        from mcp.types import CallToolResult

        result = CallToolResult.model_validate(
            {
                "content": answer.content,
                "structuredContent": answer.structured_content,
                "_meta": answer.meta,
                "isError": answer.is_error,
            }
        )
        return presented(name, result, self._present).content

    async def on_read_resource(
        self,
        context: MiddlewareContext[ReadResourceRequestParams],
        call_next: CallNext[ReadResourceRequestParams, ResourceResult],
    ) -> ResourceResult:
        uri = str(context.message.uri)
        call = await self._read_resource(uri, _version(context))
        try:
            return await self._enforcement.guarded(call, lambda: call_next(context), lambda _: Outcome("ok"))
        except Unknown:
            raise NotFoundError(f"Unknown resource: {uri!r}") from None
        except PermitError as error:
            raise protocol_error(error, uri) from None

    async def on_get_prompt(
        self,
        context: MiddlewareContext[GetPromptRequestParams],
        call_next: CallNext[GetPromptRequestParams, PromptResult],
    ) -> PromptResult:
        name = context.message.name
        prompt = await self._mcp.get_prompt(name, _version(context))
        arguments = dict(context.message.arguments or {})
        schema = None if prompt is None else _prompt_schema(prompt)
        said = prompt.description or "" if prompt is not None else ""
        call = Call(
            "prompts",
            name,
            arguments,
            schema,
            lambda: _prompt_arguments(prompt, arguments),
            lambda: definition_digest(name, said, schema or {}),
            _token(),
        )
        try:
            return await self._enforcement.guarded(call, lambda: call_next(context), lambda _: Outcome("ok"))
        except Unknown:
            raise NotFoundError(f"Unknown prompt: {name!r}") from None
        except PermitError as error:
            raise protocol_error(error, name) from None

    def _read(self, name: str, tool: Tool | None, arguments: dict[str, Any]) -> Call:
        strict = True if self._mcp.strict_input_validation else None
        if tool is None:
            return Call("tools", name, arguments, None, lambda: arguments, str, _token())

        def validated() -> Mapping[str, Any]:
            if not isinstance(tool, FunctionTool):
                return arguments  # a tool of another server's: what it makes of them is not known here
            real = arguments_of(without_injected_parameters(tool.fn))
            return or_wrong(lambda: real.validate_python(arguments, strict=strict))

        def definition() -> str:
            annotations = tool.annotations.model_dump(mode="json", exclude_none=True) if tool.annotations else None
            return definition_digest(name, tool.description or "", tool.parameters, tool.output_schema, annotations)

        return Call("tools", name, arguments, tool.parameters, validated, definition, _token())

    async def _read_resource(self, uri: str, version: VersionSpec | None) -> Call:
        resource = await self._mcp.get_resource(uri, version)
        if resource is not None and str(resource.uri) == uri:
            said = resource.description or ""
            return Call("mcp_resources", uri, {}, {}, dict, lambda: definition_digest(uri, said, {}), _token())
        template = await self._mcp.get_resource_template(uri, version)
        if template is None:
            return Call("mcp_resources", uri, {}, None, dict, str, _token())
        values, name, schema, said = (
            dict(template.matches(uri) or {}),
            template.uri_template,
            template.parameters,
            template.description or "",
        )
        return Call(
            "mcp_resources",
            name,
            values,
            schema,
            lambda: _template_arguments(template, values),
            lambda: definition_digest(name, said, schema),
            _token(),
            uri,
        )


def _prompt_schema(prompt: Prompt) -> dict[str, Any]:
    real = arguments_of(without_injected_parameters(prompt.fn)) if isinstance(prompt, FunctionPrompt) else None
    return prompt_schema(prompt.arguments, real)


def _prompt_arguments(prompt: Prompt | None, arguments: dict[str, Any]) -> Mapping[str, Any]:
    if not isinstance(prompt, FunctionPrompt):
        return arguments
    real = arguments_of(without_injected_parameters(prompt.fn))
    try:
        read = prompt._convert_string_arguments(arguments)  # noqa: SLF001 - texts are read as JSON, as FastMCP does
    except PromptError:
        raise WrongArguments([]) from None
    return or_wrong(lambda: real.validate_python(read))


def _template_arguments(template: ResourceTemplate, values: dict[str, Any]) -> Mapping[str, Any]:
    if not isinstance(template, FunctionResourceTemplate):
        return values
    real = arguments_of(template.fn)
    return or_wrong(lambda: real.validate_python(values))


def _version(context: MiddlewareContext[Any]) -> VersionSpec | None:
    """Which version of a component is called: each has its own function and its own schema."""
    meta = context.message.meta
    given = (meta or {}).get("fastmcp", {}).get("version")
    return VersionSpec(**given) if isinstance(given, dict) else None if given is None else VersionSpec(eq=given)


def _checks_audience(auth: AuthProvider | None) -> bool:
    match auth:
        case MultiAuth():
            parts = [part for part in (auth.server, *auth.verifiers) if part is not None]
            return all(map(_checks_audience, parts))
        case RemoteAuthProvider():
            return _checks_audience(auth.token_verifier)
        case OAuthProvider():
            return True  # it takes only what it issued itself
    return bool(getattr(auth, "audience", None))


def _client(context: MiddlewareContext[Any]) -> InClient | None:
    """Who made the call; None for one that came over no wire."""
    within = context.fastmcp_context
    request = within.request_context if within is not None else None
    return None if request is None else InClient(request._srctx)  # noqa: SLF001 - what the SDK's own host is given


def _token() -> VerifiedToken | None:
    token = get_access_token()
    return None if token is None else VerifiedToken.of(token)


def _entry(entry: T, listing: str) -> T:
    if listing == "shown":
        return entry
    entry = copy(entry)
    entry.description = f"{NOT_DECLARED} {entry.description or ''}".strip()
    return entry


def _tool_outcome(answer: ToolResult) -> Outcome:
    if isinstance(answer, InputRequiredToolResult):
        return Outcome("asked")
    return Outcome.read(answer.is_error, refusal_in(answer.meta))

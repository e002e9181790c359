"""A tool that acts for a person whom no model can choose."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel

from permit_core.errors import UserFacing
from permit_mcp.acting import USER_ID, OptionalUserId, UserId, acting_now
from permit_mcp.refusals import breakdown, refusal

logger = logging.getLogger(__name__)

ToolFunction = Callable[..., Awaitable[BaseModel]]

# The hints our tools can truthfully give.
LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
DECIDES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
"""A decision is final, hence destructive; repeating one's own decision changes nothing."""


@dataclass(frozen=True, slots=True)
class PermitTool:
    """What is needed to put a tool on a server.

    Attributes:
        function: an async function whose first parameter takes the acting :class:`~permit_core.identity.Actor`
            (or None, when annotated so: the tool then works without anybody). The other parameters, annotated,
            become the input schema; the return annotation becomes the output schema. A
            :class:`~permit_core.errors.UserFacing` error it raises is answered as a refusal.
        title: what people are shown as the tool's name.
        annotations: hints for clients; they must be true.
        meta: further facts for clients, such as ``permit/decides``.
    """

    function: ToolFunction
    title: str
    annotations: ToolAnnotations
    meta: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The tool's name: the function's."""
        return self.function.__name__

    @property
    def description(self) -> str:
        """What a model reads about the tool: the function's docstring."""
        return inspect.getdoc(self.function) or ""

    def for_user(self, *, unbound: bool) -> Callable[..., Awaitable[BaseModel | CallToolResult]]:
        """The function as a server registers it: without the actor, with ``user_id`` on an unbound server."""
        signature = inspect.signature(self.function, eval_str=True)
        who, *rest = signature.parameters.values()
        nobody_will_do = type(None) in get_args(who.annotation)

        async def call(**arguments: Any) -> BaseModel | CallToolResult:
            arguments.pop(USER_ID, None)
            try:
                return await self.function(acting_now(or_nobody=nobody_will_do), **arguments)
            except UserFacing as error:
                return refusal(error)
            except Exception:
                logger.exception("tool %s failed", self.name)
                return breakdown()

        parameters = [_user_id(optional=nobody_will_do), *rest] if unbound else rest
        call.__name__ = call.__qualname__ = self.name
        call.__doc__ = self.description
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        call.__annotations__["return"] = signature.return_annotation
        # Where the SDKs look for parameters; the annotations are types by now, not strings.
        call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return call


def _user_id(*, optional: bool) -> inspect.Parameter:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if optional:
        return inspect.Parameter(USER_ID, kind, annotation=OptionalUserId, default=None)
    return inspect.Parameter(USER_ID, kind, annotation=UserId)

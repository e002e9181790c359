"""How a refusal looks on the wire: our errors as results of tools."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from permit_core.errors import Forbidden, PermitError, UserFacing
from permit_core.views import ToolErrorView, plain
from permit_mcp.enforcement import INTERNAL_ERROR, Unknown

logger = logging.getLogger(__name__)

Present = Callable[[str, Mapping[str, Any]], str]
"""From a tool's name, and the body of its answer or of a refusal (which has a ``code``), to the text that is shown."""

REFUSED = -32010
"""The code of the protocol's error for a refused resource or prompt."""

REFUSAL = "permit/refusal"
"""The key of a refusal in a result's metadata."""


def refusal_body(error: UserFacing) -> dict[str, Any]:
    """:class:`ToolErrorView` as a dict, with the error's further details beside it."""
    ask_for = error.details.get("ask_for")
    if ask_for is None and isinstance(error, Forbidden) and error.decision is not None:
        ask_for = [remedy.as_dict() for remedy in error.decision.remedies]
    view = ToolErrorView(code=error.code, message=error.message, hint=error.hint, ask_for=ask_for or [])
    return {**error.details, **view.model_dump(mode="json")}


def refusal(error: UserFacing) -> CallToolResult:
    """The result of a call that was refused: as text, and the same for programs in the result's metadata.

    Not as structured content: a tool declares the schema of its answers, a refusal is none of them, and a client that
    compares the two would throw the refusal away.
    """
    body = refusal_body(error)
    return CallToolResult.model_validate(
        {
            "isError": True,
            "content": [TextContent(type="text", text=json.dumps(body, ensure_ascii=False))],
            "_meta": {REFUSAL: body},
        }
    )


def refusal_in(meta: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The refusal that a result's metadata holds; None when it holds none."""
    body = (meta or {}).get(REFUSAL)
    return dict(body) if isinstance(body, Mapping) and isinstance(body.get("code"), str) else None


def internal_error() -> UserFacing:
    """What is said of a failure that is not the caller's business; the log has it."""
    return UserFacing("The tool failed.", code=INTERNAL_ERROR, hint="Try again later; the server's log says more.")


def breakdown() -> CallToolResult:
    """The result of a call that failed for a reason that is not the caller's business."""
    return refusal(internal_error())


def unknown_tool(name: str) -> CallToolResult:
    """What the SDK answers to a call of a tool that is not there. A hidden tool is to answer the same."""
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=f"Unknown tool: {name}")])


def answer_to(error: PermitError, name: str, present: Present | None = None) -> CallToolResult:
    """The result that tells the caller of an error of :meth:`Enforcement.guarded`; unknown is said as the SDK says it."""
    if isinstance(error, Unknown):
        return unknown_tool(name)
    if isinstance(error, UserFacing):
        return presented(name, refusal(error), present)
    logger.error("call of %s could not be judged", plain(name)[:100], exc_info=error)
    return presented(name, breakdown(), present)


def protocol_error(error: PermitError, name: str) -> MCPError:
    """The same for what has no result that could be a refusal, a resource or a prompt: an error of the protocol."""
    if not isinstance(error, UserFacing):
        logger.error("%s could not be judged", plain(name)[:100], exc_info=error)
        error = internal_error()
    body = refusal_body(error)
    return MCPError(REFUSED, error.message, {REFUSAL: body})


def presented(name: str, result: CallToolResult, present: Present | None) -> CallToolResult:
    """The result with the text that the host wants shown. What programs read of it stays as it is."""
    if present is None:
        return result
    refused = refusal_in(result.meta)
    body = refused if refused is not None else result.structured_content
    if body is None:
        return result
    return result.model_copy(update={"content": [TextContent(type="text", text=present(name, body))]})

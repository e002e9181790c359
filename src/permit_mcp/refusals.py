"""How a refusal looks on the wire: our errors as results of tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp.types import CallToolResult, TextContent

from permit_core.errors import Forbidden, UserFacing
from permit_core.views import ToolErrorView

INTERNAL_ERROR = "internal_error"

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


def breakdown() -> CallToolResult:
    """The result of a call that failed for a reason that is not the caller's business; the log has it."""
    return refusal(
        UserFacing("The tool failed.", code=INTERNAL_ERROR, hint="Try again later; the server's log says more.")
    )


def unknown_tool(name: str) -> CallToolResult:
    """What the SDK answers to a call of a tool that is not there. A hidden tool is to answer the same."""
    return CallToolResult(is_error=True, content=[TextContent(type="text", text=f"Unknown tool: {name}")])

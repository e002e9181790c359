"""Asking whoever sits at the client that makes a call: by elicitation, as each era of the protocol has it.

In the 2026 protocol a server cannot call its client. The question is the call's result, the client makes the same call again
with the answer, and the answer counts only for the stored request whose id it names.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from permit_core.views import plain
from permit_mcp.enforcement import AskFirst

logger = logging.getLogger(__name__)

ASK_SECONDS = 300.0
"""How long a client of the older protocol has to bring the answer, while its call waits."""

KEY = "permit/confirm/"
"""With a request's id behind it, the key of a question and of its answer."""

_FORM = {
    "type": "object",
    "properties": {"yes": {"type": "boolean", "title": "Yes, make this call once"}},
    "required": ["yes"],
}


class InClient:
    """The client of one call.

    Answers to questions of ours are taken out of the call, so that no tool takes them for answers to its own.

    Args:
        ctx: the request, before the tool gets it.
    """

    def __init__(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._ctx = ctx
        params = ctx.params or {}
        answers = params.get("inputResponses")
        given = answers if isinstance(answers, Mapping) else {}
        self._answers = {key: value for key, value in given.items() if str(key).startswith(KEY)}
        if self._answers:
            others = {key: value for key, value in given.items() if key not in self._answers}
            left = {name: value for name, value in params.items() if name != "inputResponses"}
            ctx.params = {**left, "inputResponses": others} if others else left

    @property
    def can_ask(self) -> bool:
        """Whether the client says that it shows people forms, and can be asked."""
        said = self._ctx.session.client_capabilities
        can = said.elicitation if said is not None else None
        if can is None or (can.form is None and can.url is not None):
            return False
        return self._is_modern or self._ctx.session.can_send_request

    async def ask(self, request_id: str, words: str) -> bool | None:
        """What the person says: yes, no, or nothing.

        Raises:
            AskFirst: it was not asked yet, and the question is to be the answer to this call.
        """
        if self._is_modern:
            if (answer := self._answers.get(f"{KEY}{request_id}")) is None:
                raise AskFirst(request_id, words)
            return _said(answer)
        try:
            with anyio.fail_after(ASK_SECONDS):
                answered = await self._ctx.session.elicit_form(words, _FORM, self._ctx.request_id)
        except (MCPError, TimeoutError, ValidationError) as error:
            logger.warning("the client did not bring its person's answer: %s", plain(str(error))[:200])
            return None
        return _said(answered.model_dump(mode="json"))

    @property
    def _is_modern(self) -> bool:
        return self._ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def question(asked: AskFirst) -> InputRequiredResult:
    """The result that puts the question."""
    form = ElicitRequestFormParams(message=asked.words, requested_schema=_FORM)
    return InputRequiredResult(input_requests={f"{KEY}{asked.request_id}": ElicitRequest(params=form)})


def _said(answer: Any) -> bool | None:
    """True for a yes alone; None where the person said neither, or cannot be understood."""
    if not isinstance(answer, Mapping):
        return None
    match answer.get("action"), answer.get("content"):
        case "accept", {"yes": True}:
            return True
        case ("accept", {"yes": False}) | ("decline", _):
            return False
    return None

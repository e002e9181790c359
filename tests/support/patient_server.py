"""The chat server with a model that does as it is told and a tool that takes its time: ``python -m ... PORT``.

``wait N`` makes the model call a tool that takes N seconds; to anything else it says ``Heard: ...``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from mcp import StdioServerParameters

from family_food.chat.consent import Consent
from family_food.messages import EventMessage, UserMessage
from family_food.models.port import Prompt
from permit_core.policy.model import PolicyModel
from server import create_app
from tests.support import tiny_mcp
from tests.support.scripted_model import Line, ScriptedModel, calls, says


def _script(prompt: Prompt) -> Sequence[Line]:
    last = prompt.entries[-1]
    if isinstance(last, UserMessage) and last.text.startswith("wait "):
        return calls(("sleep", {"seconds": float(last.text.removeprefix("wait "))}))
    if isinstance(last, UserMessage):
        return says("Heard: ", last.text)
    return says("I go on." if isinstance(last, EventMessage) else "It is done.")


def _tiny(_user: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=[str(Path(tiny_mcp.__file__))])


async def _nothing_of_others(self: Consent, tool: str, content: Mapping[str, Any]) -> None:
    """What the tool answers is nobody's words: no call is asked about because of them."""


if __name__ == "__main__":
    PolicyModel.tools_for = lambda self, roles: frozenset({"sleep"})  # type: ignore[method-assign]
    Consent.note_result = _nothing_of_others  # type: ignore[method-assign]
    app = create_app(model=ScriptedModel(_script), tool_server=_tiny)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")

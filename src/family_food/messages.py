"""A conversation as the server keeps it: the same for every model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from permit_core.views import RequestView


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UserMessage(_Entry):
    """Words of the person whose session it is."""

    kind: Literal["user"] = "user"
    text: str


class EventMessage(_Entry):
    """Something the server tells the model: a request was decided, or has arrived; or its last turn was cut short.

    With ``request_decided`` and ``request_created``, ``data`` is a :class:`permit_core.views.RequestView` as a
    dict, in which texts by people are marked as data; of a request that has arrived without its reason, which is for the
    person to read and not for their model. For a model it becomes a user turn fenced as data. With ``turn_interrupted``,
    the server stopped in the middle of the turn before and the person wants it continued; ``data`` is empty.
    """

    kind: Literal["event"] = "event"
    event: Literal["request_decided", "request_created", "turn_interrupted"]
    data: dict[str, Any]

    @property
    def request(self) -> RequestView | None:
        """The request it tells of, with an empty reason where it is told without; None when it tells of none."""
        try:
            return RequestView.model_validate({"reason": {"written_by": "", "text": ""}, **self.data})
        except ValidationError:
            return None


class ToolCall(_Entry):
    """A model wants a tool called. ``id`` is the model's own, or one the server made (``srv_...``) when it gave none."""

    id: str
    name: str
    arguments: dict[str, Any]


class ModelStep(_Entry):
    """One complete answer of a model: text, calls, or both.

    ``native`` is what the model's own protocol needs to see again unchanged (Gemini's parts with their thought
    signatures), and ``provider`` (``gemini:gemini-3.8-flash``) says whose it is; another provider ignores it.
    """

    kind: Literal["model"] = "model"
    text: str = ""
    calls: list[ToolCall] = []
    provider: str = ""
    native: Any = None


class ToolResult(_Entry):
    """What a tool answered. ``content`` is the structured result, or ``{"error": {code, message, hint, ...}}``."""

    call_id: str
    name: str
    content: dict[str, Any]
    is_error: bool = False


class ToolResults(_Entry):
    """The answers to all calls of the model step before, in the order of the calls; never fewer."""

    kind: Literal["results"] = "results"
    results: list[ToolResult]


class RecapTurn(_Entry):
    """The gist of an old turn: the person's words and the words it ended with, both cut."""

    said: str
    answered: str = ""


class RecapOrder(_Entry):
    """An order that was placed in an old turn."""

    id: str
    dish: str
    restaurant: str
    price: str
    approval_id: str | None = None


class RecapCall(_Entry):
    """A call of an old turn that may have had its effect: nobody heard its answer."""

    name: str
    arguments: dict[str, Any]


class Recap(_Entry):
    """What old turns came to, in place of them: made by rule from the record when a model is shown a long conversation.

    It is never stored. To a model it is a user turn fenced as data.

    Attributes:
        turns: how many turns it stands for.
        words: what was said in them, oldest first; of the very oldest nothing is left.
        orders: every order that was placed in them, as far as there is room.
        requests: the requests that were made or heard of, each a :class:`permit_core.views.RequestView` as a dict, as
            it was last heard of.
        uncertain: calls of which it is not known whether they had their effect.
    """

    kind: Literal["recap"] = "recap"
    turns: int
    words: list[RecapTurn] = []
    orders: list[RecapOrder] = []
    requests: list[dict[str, Any]] = []
    uncertain: list[RecapCall] = []


Entry = Annotated[UserMessage | EventMessage | ModelStep | ToolResults, Field(discriminator="kind")]
entry_adapter: TypeAdapter[UserMessage | EventMessage | ModelStep | ToolResults] = TypeAdapter(Entry)

Shown = UserMessage | EventMessage | ModelStep | ToolResults | Recap
"""What a model is shown of a conversation: entries, and perhaps a recap of those before them."""

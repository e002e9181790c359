"""The frames of the chat socket: what a client may say, what the server says, and how what arrives is read.

Every server frame has ``type`` and ``content``; the four types of Permit.io's guide (``text``, ``status``, ``history_update``,
``error``) mean what they mean there. docs/chat-protocol.md tells the story, docs/chat-protocol.schema.json is made
from this module.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from family_food.conversations.stored_conversation import Interrupted
from permit_core.errors import InvalidInput
from permit_core.views import RequestView

PROTOCOL_VERSION = 1
HISTORY_BYTES = 64 * 1024
"""A ``history_update`` is never larger: it goes out after every turn, and the guide's client sends it back as often."""

_HISTORY_ROOM = 1024 * 1024
"""What the guide's client may send back along with a message, in bytes; it is read over."""

# Controls a terminal or a model has no use for; newline and tab stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ServerFrameModel(BaseModel):
    """Base of everything the server says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int | None = Field(
        None,
        description="Counts the frames of a session; a client that comes back says which it had last. Not in hello "
        "and goodbye, which belong to one socket.",
    )


class _ServerFrame(ServerFrameModel):
    content: str = ""


class UserInfo(BaseModel):
    """Whose session it is."""

    name: str
    role: str = Field(description="The tenant role's key; several are joined by a comma.")


class ModelInfo(BaseModel):
    """Which model answers."""

    label: str
    offline: bool = Field(description="True for the demo model: not a language model.")


class TokenUsage(BaseModel):
    """What a turn cost, as far as the provider tells."""

    input_tokens: int = 0
    output_tokens: int = 0


class Hello(_ServerFrame):
    """The first frame on every socket, also on one that comes back to a session."""

    type: Literal["hello"] = "hello"
    protocol: int = PROTOCOL_VERSION
    user: UserInfo
    model: ModelInfo
    session_id: str
    token_expires_at: int = Field(description="Seconds since 1970; the session ends then unless the token is renewed.")
    title: str = Field("", description="The conversation's name; empty for a new one.")
    resumed: bool = Field(False, description="True when an earlier conversation goes on.")
    turn: int | None = Field(None, description="The turn that runs; its frames follow from where the client left off.")
    newest: int = Field(
        0,
        description="The number of the session's newest frame. Smaller than what the client had: the server was started "
        "anew, counts from 1 again, and knows nothing of messages that it had accepted and not begun.",
    )
    missed: bool = Field(False, description="True when frames were missed that cannot be sent again.")
    interrupted: Interrupted | None = None


class TurnStart(_ServerFrame):
    """The assistant starts to work."""

    type: Literal["turn_start"] = "turn_start"
    turn: int
    cause: Literal["message", "event", "continue"]
    message_id: str | None = None


class Accepted(_ServerFrame):
    """A message that carries an id has arrived. One whose id is known already is not taken a second time."""

    type: Literal["accepted"] = "accepted"
    message_id: str
    duplicate: bool = False
    waiting: int = Field(0, description="Messages before it that wait for the running turn.")


class TextDeltaFrame(_ServerFrame):
    """More words of the answer. The whole text follows in a ``text`` frame."""

    type: Literal["text_delta"] = "text_delta"
    turn: int


class Text(_ServerFrame):
    """Words for the person: an answer's whole text, or a question of the server's own (with ``confirm_id``)."""

    type: Literal["text"] = "text"
    turn: int
    streamed: bool = Field(False, description="True when the same words went out as text_delta frames.")
    confirm_id: str | None = None


class Status(_ServerFrame):
    """What is going on, for people."""

    type: Literal["status"] = "status"


class ToolFrame(_ServerFrame):
    """A tool call's progress."""

    type: Literal["tool"] = "tool"
    turn: int
    call_id: str
    name: str
    arguments: dict[str, Any] = Field(description="Redacted.")
    state: Literal["started", "done", "failed", "refused"]
    code: str | None = None


class AskedFact(BaseModel):
    """One thing to be read before a call is agreed to."""

    name: str
    value: str


class AskedCall(BaseModel):
    """A call that needs the person's yes, because the model has read what others wrote."""

    name: str = Field(description="The tool's.")
    arguments: dict[str, Any] = Field(description="Redacted.")
    sentence: str = Field(description="What would be done: order Foie Gras (dishes:9) at Fancy French (restaurants:3)")
    price: str = Field("", description="What it costs, for people; empty when that is not known.")
    facts: list[AskedFact] = Field(description="The sentence part by part, from what is stored.")


class Confirm(_ServerFrame):
    """A question only the person can answer. It is made from what is stored, never from a model's words.

    About a decision it carries the ``request``, about a call (``verb`` is ``call``) the ``call``.
    """

    type: Literal["confirm"] = "confirm"
    confirm_id: str
    verb: Literal["approve", "deny", "call"]
    comment: str = ""
    request: RequestView | None = None
    call: AskedCall | None = None
    expires_in: float = Field(description="Seconds.")


class ConfirmClosed(_ServerFrame):
    """The question needs no answer any more."""

    type: Literal["confirm_closed"] = "confirm_closed"
    confirm_id: str
    outcome: Literal["confirmed", "declined", "unattended", "expired", "cancelled"]


class NoticeFrame(_ServerFrame):
    """A request has arrived for this person to review, or one of theirs was decided."""

    type: Literal["notice"] = "notice"
    event: Literal["request_created", "request_decided"]
    request: RequestView


class Listing(_ServerFrame):
    """The answer to a ``list`` frame, made from what is stored."""

    type: Literal["listing"] = "listing"
    reply_to: str | None = None
    what: Literal["requests", "orders", "tools", "menu"]
    items: list[dict[str, Any]] = Field(
        description="requests: RequestView; orders: OrderView; tools: {name, title, description, acts}; "
        "menu: {restaurant, restaurant_id, dishes: [name]}."
    )
    more: bool = Field(False, description="True when there are more than were listed.")


class Decided(_ServerFrame):
    """The answer to a ``decide`` frame: the request as it stands now."""

    type: Literal["decided"] = "decided"
    reply_to: str | None = None
    request: RequestView


class HistoryUpdate(ServerFrameModel):
    """The conversation in Gemini's shape, for clients that keep a copy. The server never reads it back."""

    type: Literal["history_update"] = "history_update"
    content: list[dict[str, Any]]


class TurnEnd(_ServerFrame):
    """The assistant is done; the next message may come."""

    type: Literal["turn_end"] = "turn_end"
    turn: int
    outcome: Literal["completed", "cancelled", "failed", "limit"]
    usage: TokenUsage = TokenUsage()
    seconds: float = Field(0.0, description="How long it took, the person's own time included.")


class ErrorFrame(_ServerFrame):
    """Something went wrong; the session goes on."""

    type: Literal["error"] = "error"
    code: str
    hint: str = ""
    reply_to: str | None = Field(None, description="The id of the frame that was refused, when it had one.")


class TokenExpiring(_ServerFrame):
    """The token ends soon: get a new one from POST /token/refresh and send an ``authenticate`` frame."""

    type: Literal["token_expiring"] = "token_expiring"
    expires_at: int


class TokenRefreshed(_ServerFrame):
    """The new token was accepted."""

    type: Literal["token_refreshed"] = "token_refreshed"
    expires_at: int


class Goodbye(_ServerFrame):
    """The last frame before the server closes the socket."""

    type: Literal["goodbye"] = "goodbye"
    code: int = Field(
        description="The close code that follows: 1000 another window goes on, 1001 shutdown, 1008 token expired, "
        "1011 unexpected error."
    )


ServerFrame = Annotated[
    Hello
    | TurnStart
    | Accepted
    | TextDeltaFrame
    | Text
    | Status
    | ToolFrame
    | Confirm
    | ConfirmClosed
    | NoticeFrame
    | Listing
    | Decided
    | HistoryUpdate
    | TurnEnd
    | ErrorFrame
    | TokenExpiring
    | TokenRefreshed
    | Goodbye,
    Field(discriminator="type"),
]


class _ClientFrame(BaseModel):
    # The guide's client sends "history" along with every message: accepted, and never read.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Message(_ClientFrame):
    """Words for the assistant. The guide's form has no ``type``."""

    type: Literal["message"] = "message"
    message: str
    id: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Comes back in accepted and in turn_start. Sent again, it is not taken a second time.",
    )


class Answer(_ClientFrame):
    """The person's answer to a ``confirm`` frame."""

    type: Literal["confirm"]
    confirm_id: str = Field(max_length=100)
    answer: bool
    unattended: bool = Field(False, description="Nobody is there to be asked: it is not a person's no.")


class Cancel(_ClientFrame):
    """Stop the running turn."""

    type: Literal["cancel"]


class Continue(_ClientFrame):
    """Take up again the turn that ``hello.interrupted`` tells of."""

    type: Literal["continue"]


class ListStored(_ClientFrame):
    """Show what is stored: requests one made or may review, orders, tools, menus. No model takes part."""

    type: Literal["list"]
    id: str | None = Field(None, min_length=1, max_length=100, description="Comes back in listing.reply_to.")
    what: Literal["requests", "orders", "tools", "menu"] = "requests"
    status: Literal["pending", "approved", "denied", "cancelled", "expired", "used"] | None = Field(
        None, description="Only requests that stand like this."
    )


class Decide(_ClientFrame):
    """Decide a request, as the person's own word: no model takes part, and nobody is asked again."""

    type: Literal["decide"]
    id: str | None = Field(None, min_length=1, max_length=100, description="Comes back in decided.reply_to.")
    kind: Literal["access_request", "operation_approval", "call"]
    request_id: str = Field(max_length=100)
    verb: Literal["approve", "deny"]
    comment: str = Field("", max_length=2000)


class Authenticate(_ClientFrame):
    """A fresh token of the same user, so that the session may live on."""

    type: Literal["authenticate"]
    token: str = Field(max_length=8192)


ClientSays = Message | Answer | Cancel | Continue | ListStored | Decide | Authenticate
ClientFrame = Annotated[ClientSays, Field(discriminator="type")]

client_frames: TypeAdapter[ClientSays] = TypeAdapter(ClientFrame)
server_frames: TypeAdapter[Any] = TypeAdapter(ServerFrame)

_TYPES = ("message", "confirm", "cancel", "continue", "list", "decide", "authenticate")


def frame_limit(max_message_bytes: int) -> int:
    """Bytes of the largest frame that is looked into: a message, every character of it escaped, and a history."""
    return 6 * max_message_bytes + _HISTORY_ROOM


def read_frame(data: str | bytes, max_message_bytes: int) -> ClientSays:
    """Read one frame of a client.

    Args:
        data: what arrived; binary frames are taken as UTF-8.
        max_message_bytes: the largest chat message, in bytes of UTF-8.

    Raises:
        InvalidInput: ``too_large``, ``invalid_utf8``, ``invalid_json``, ``too_deep``, ``unknown_type``, ``invalid_frame``
            or ``empty_message``. The session can go on.
    """
    # A character is a byte at least: an oversized text is refused before it is copied.
    if len(data) > frame_limit(max_message_bytes):
        raise _too_large(max_message_bytes)
    frame = _parse_object(data)
    frame.setdefault("type", "message")
    if frame["type"] not in _TYPES:
        raise InvalidInput(
            "That kind of frame is not known.", code="unknown_type", hint=f"Known are: {', '.join(_TYPES)}."
        )
    try:
        read = client_frames.validate_python(frame)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "frame"
        raise InvalidInput(
            f"The frame is not right: {place}: {first['msg']}.", code="invalid_frame", hint="See docs/chat-protocol.md."
        ) from None
    return _bounded(read, max_message_bytes) if isinstance(read, Message) else read


def _parse_object(data: str | bytes) -> dict[str, Any]:
    try:
        encoded = data.encode() if isinstance(data, str) else data
        encoded.decode()
    except UnicodeError:
        raise InvalidInput("The frame is not UTF-8.", code="invalid_utf8", hint="Send JSON as UTF-8 text.") from None
    try:
        # Not the standard library's parser: this one counts how deep it goes, and stops.
        frame = from_json(encoded, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise InvalidInput("The JSON is nested too deeply.", code="too_deep", hint="Send a flat frame.") from None
        raise InvalidInput("The frame is not JSON.", code="invalid_json", hint='Send {"message": "..."}.') from None
    if not isinstance(frame, dict):
        raise InvalidInput("A frame is a JSON object.", code="invalid_frame", hint='Send {"message": "..."}.')
    return frame


def _bounded(message: Message, max_message_bytes: int) -> Message:
    if len(message.message.encode()) > max_message_bytes:
        raise _too_large(max_message_bytes)
    text = _CONTROLS.sub("", message.message.replace("\r\n", "\n")).strip()
    if not text:
        raise InvalidInput("The message is empty.", code="empty_message", hint="Say what you would like to eat.")
    return message.model_copy(update={"message": text})


def _too_large(max_message_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"The message is too large; {max_message_bytes} bytes are the most.",
        code="too_large",
        hint="Send a shorter message.",
    )


def protocol_schema() -> dict[str, Any]:
    """The JSON Schema of both directions: docs/chat-protocol.schema.json."""
    union: TypeAdapter[Any] = TypeAdapter(ServerFrame | ClientFrame)
    definitions = union.json_schema(ref_template="#/$defs/{model}")["$defs"]

    def one_of(adapter: TypeAdapter[Any]) -> list[dict[str, str]]:
        found = adapter.json_schema(ref_template="#/$defs/{model}")["oneOf"]
        return sorted(found, key=lambda reference: str(reference["$ref"]))

    definitions["ServerFrame"] = {"oneOf": one_of(server_frames)}
    definitions["ClientFrame"] = {"oneOf": one_of(client_frames)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Family food chat protocol",
        "description": "What travels on WS /ws/chat: $defs/ServerFrame from the server, $defs/ClientFrame to it.",
        "anyOf": [{"$ref": "#/$defs/ServerFrame"}, {"$ref": "#/$defs/ClientFrame"}],
        "$defs": dict(sorted(definitions.items())),
    }

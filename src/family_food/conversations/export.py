"""A conversation's full record as a document of one's own: JSON of a closed shape.

docs/conversation-export.schema.json is made from this module; docs/conversations.md tells of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from family_food.conversations.outcomes import outcome
from family_food.conversations.stored_conversation import ConversationRecord, StoredEntry, StoredOutcome, TurnCause
from family_food.messages import EventMessage, ModelStep, ToolResult, ToolResults, UserMessage
from permit_core.redaction import redact


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExportedTurn(_Part):
    """A turn: from what began it to the end of the answer."""

    number: int
    cause: TurnCause
    outcome: StoredOutcome
    started_at: datetime
    ended_at: datetime | None = Field(description="Null while it runs.")


class _ExportedEntry(_Part):
    turn: int = Field(description="The number of the turn it belongs to.")
    at: datetime = Field(description="When it was written.")


class ExportedWords(_ExportedEntry):
    """What the person said."""

    kind: Literal["user"] = "user"
    text: str


class ExportedEvent(_ExportedEntry):
    """News that the server told the assistant."""

    kind: Literal["event"] = "event"
    event: Literal["request_decided", "request_created", "turn_interrupted"]
    data: dict[str, Any] = Field(description="The request as people are shown it; empty for turn_interrupted.")


class ExportedCall(_Part):
    """A tool call of the assistant."""

    id: str
    name: str
    arguments: dict[str, Any] = Field(description="Redacted, as in the audit log.")


class ExportedStep(_ExportedEntry):
    """What the assistant said, and the calls it made."""

    kind: Literal["model"] = "model"
    text: str
    model: str = Field(description="Which model; empty when it was not kept.")
    calls: list[ExportedCall]


class ExportedResult(_Part):
    """What became of a call."""

    call_id: str
    name: str
    state: Literal["done", "failed"]
    code: str = Field(description="Why it failed: stable and machine-readable. Empty when it is done.")
    outcome: str = Field(description="One line for people.")
    content: dict[str, Any] = Field(description="All that the tool answered.")


class ExportedResults(_ExportedEntry):
    """What became of the calls of the step before, in their order."""

    kind: Literal["results"] = "results"
    results: list[ExportedResult]


ExportedEntry = Annotated[ExportedWords | ExportedEvent | ExportedStep | ExportedResults, Field(discriminator="kind")]


class ExportedConversation(_Part):
    """Everything that is stored of a conversation."""

    format: Literal["permit-chat-conversation/1"] = "permit-chat-conversation/1"
    id: str
    title: str
    user: str = Field(description="Whose it is: the name.")
    created_at: datetime
    updated_at: datetime = Field(description="When its last turn began.")
    turns: list[ExportedTurn]
    entries: list[ExportedEntry] = Field(description="Of all turns, in order.")


def exported(record: ConversationRecord, user: str) -> ExportedConversation:
    """The document of a stored conversation.

    Args:
        record: all of it.
        user: the name of the person whose it is.
    """
    about = record.summary
    return ExportedConversation(
        id=about.id,
        title=about.title,
        user=user,
        created_at=about.created_at,
        updated_at=about.updated_at,
        turns=[
            ExportedTurn(
                number=turn.number,
                cause=turn.cause,
                outcome=turn.outcome,
                started_at=turn.started_at,
                ended_at=turn.ended_at,
            )
            for turn in record.turns
        ],
        entries=[entry for turn in record.turns for entry in _entries(turn.entries, turn.number)],
    )


def _entries(stored: Iterable[StoredEntry], turn: int) -> Iterable[Any]:
    for one in stored:
        place = {"turn": turn, "at": one.at}
        match one.entry:
            case UserMessage(text=text):
                yield ExportedWords(**place, text=text)
            case EventMessage(event=event, data=data):
                yield ExportedEvent(**place, event=event, data=data)
            case ModelStep(text=text, provider=provider, calls=calls):
                made = [ExportedCall(id=c.id, name=c.name, arguments=redact(c.arguments)) for c in calls]
                yield ExportedStep(**place, text=text, model=provider, calls=made)
            case ToolResults(results=results):
                yield ExportedResults(**place, results=[_result(result) for result in results])


def _result(result: ToolResult) -> ExportedResult:
    error = result.content.get("error")
    told = error if isinstance(error, dict) else result.content
    code, message = str(told.get("code") or "unknown"), str(told.get("message") or "It failed.")
    return ExportedResult(
        call_id=result.call_id,
        name=result.name,
        state="failed" if result.is_error else "done",
        code=code if result.is_error else "",
        outcome=message if result.is_error else outcome(result.content),
        content=result.content,
    )


def export_schema() -> dict[str, Any]:
    """The JSON Schema of an export: docs/conversation-export.schema.json."""
    schema = ExportedConversation.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

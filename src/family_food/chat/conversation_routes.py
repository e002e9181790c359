"""A person's stored conversations over HTTP: listed, read, renamed, deleted. docs/conversations.md describes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, Protocol

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from family_food.chat.backend import ChatBackend
from family_food.conversations.export import exported
from family_food.conversations.export_markdown import as_markdown
from family_food.conversations.stored_conversation import ConversationRecord, ConversationSummary
from permit_core.errors import Conflict, Forbidden, NotFound, StoreError, UserFacing
from permit_core.identity import Actor

_ID = r"^chat_[0-9a-f]{32}$"


class _Sessions(Protocol):
    """What is asked of the sessions that are open."""

    @property
    def active_connections(self) -> dict[str, Any]:
        """By the id of their conversation."""
        ...

    def renamed(self, conversation_id: str, title: str) -> None:
        """The conversation has another title now."""
        ...


class _PlainErrors(APIRoute):
    """A route whose refusals are ``{"detail": sentence, "code": code}``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that answers so."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except StoreError:
                raise  # answered as on every other route
            except UserFacing as error:
                status = {NotFound: 404, Conflict: 409, Forbidden: 401}.get(type(error), 400)
                return _refusal(status, f"{error.message} {error.hint}".strip(), error.code)
            except RequestValidationError as error:
                first = error.errors()[0]
                place = [str(part) for part in first["loc"]]
                if place[:1] == ["path"]:  # no id of ours
                    return _refusal(404, "There is no such conversation.", "no_such_conversation")
                return _refusal(400, f"{'.'.join(place[1:]) or place[0]}: {first['msg']}.", "invalid_input")

        return answer


router = APIRouter(prefix="/conversations", route_class=_PlainErrors)


def _backend(request: Request) -> ChatBackend:
    backend: ChatBackend = request.app.state.backend
    return backend


async def _actor(request: Request, response: Response) -> Actor:
    """Who asks, by the verified token.

    Raises:
        Forbidden: nobody we know does.
    """
    response.headers["Cache-Control"] = "no-store"
    backend = _backend(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    claims = backend.tokens.verify(token.strip() if scheme.lower() == "bearer" else "")
    user = await backend.accounts.chat_user(claims)
    if user is None:
        raise Forbidden("The account is gone.", code="invalid_token", hint="Log in again.")
    return user.actor


Backend = Annotated[ChatBackend, Depends(_backend)]
Who = Annotated[Actor, Depends(_actor)]
ConversationId = Annotated[str, Path(pattern=_ID)]


class NewTitle(BaseModel):
    """A request to rename."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str


@router.get("")
async def list_conversations(backend: Backend, who: Who, page: int = 1, per_page: int = 20) -> dict[str, Any]:
    """The person's conversations, the latest first."""
    found = await backend.conversations.listed(who, page, per_page)
    return {
        "conversations": [_summary(one) for one in found.items],
        "total": found.total,
        "page": found.page,
        "per_page": found.per_page,
    }


@router.get("/{conversation_id}")
async def export_conversation(
    backend: Backend,
    who: Who,
    conversation_id: ConversationId,
    form: Annotated[Literal["json", "markdown"], Query(alias="format")] = "json",
) -> Response:
    """The full record of one of them, as a document."""
    record = await backend.conversations.export(conversation_id, who, form)
    # A long one takes its time, which is nobody else's.
    text = await to_thread.run_sync(_document, record, who.name, form)
    ending, kind = ("json", "application/json") if form == "json" else ("md", "text/markdown; charset=utf-8")
    name = f"conversation-{record.summary.created_at:%Y-%m-%d}-{conversation_id[5:13]}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text, media_type=kind, headers=headers | {"X-Content-Type-Options": "nosniff"})


@router.patch("/{conversation_id}")
async def rename_conversation(
    request: Request, backend: Backend, who: Who, conversation_id: ConversationId, change: NewTitle
) -> dict[str, Any]:
    """Give one of them a title that stays."""
    title = await backend.conversations.rename(conversation_id, who, change.title)
    sessions: _Sessions = request.app.state.manager
    sessions.renamed(conversation_id, title)
    return {"id": conversation_id, "title": title}


@router.delete("/{conversation_id}", status_code=204)
async def delete_conversation(request: Request, backend: Backend, who: Who, conversation_id: ConversationId) -> None:
    """Forget one of them for good; orders and requests that were made in it stay."""
    await backend.conversations.check(conversation_id, who)
    sessions: _Sessions = request.app.state.manager
    if conversation_id in sessions.active_connections:
        raise Conflict("This conversation is open.", code="conversation_open", hint="Close its window, then delete it.")
    await backend.conversations.delete(conversation_id, who)


def _document(record: ConversationRecord, user: str, form: str) -> str:
    conversation = exported(record, user)
    if form == "markdown":
        return as_markdown(conversation)
    # Nothing but ASCII: no character of it can do anything to a terminal.
    return json.dumps(conversation.model_dump(mode="json"), indent=2) + "\n"


def _summary(one: ConversationSummary) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
        "turns": one.turns,
    }


def _refusal(status: int, detail: str, code: str) -> JSONResponse:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    return JSONResponse({"detail": detail, "code": code}, status, headers)

"""Answers that need no model: lists of what is stored, and decisions that are a person's own word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from family_food.chat.confirmation import to_decide
from family_food.chat.incidents import apology, log_incident
from family_food.chat.interruption import uninterrupted
from family_food.chat.outgoing import Outgoing
from family_food.chat.protocol import Decide, Decided, ErrorFrame, Listing, ListStored
from family_food.chat.toolbox import ToolContext
from family_food.conversations.outcomes import wish
from family_food.ordering.menu import Menu
from family_food.ordering.orders import OrderDesk
from permit_core.bootstrap import Core
from permit_core.decision.decision_log import DecisionLog, decision_log
from permit_core.errors import Forbidden, InvalidInput, UserFacing
from permit_core.identity import Actor
from permit_core.page import MAX_PER_PAGE
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Request, RequestFilter, RequestKind, RequestStatus
from permit_core.views import RequestView, plain

MAX_ASKED = 16
MAX_ITEMS = MAX_PER_PAGE


class StoredAnswers:
    """Answers ``list`` and ``decide`` frames of one session, one after another.

    The same policy decides as for tools, and the audit log holds the same: who asked, what was decided on the way, and
    what came of it.

    Args:
        core: requests, policy and record.
        actor: whose session it is.
        session_id: for the record.
        outgoing: where answers go, and refusals.
        context: what a turn's calls would have at hand now.
    """

    def __init__(
        self,
        core: Core,
        actor: Actor,
        session_id: str,
        outgoing: Outgoing,
        context: Callable[[], Awaitable[ToolContext]],
    ) -> None:
        self._core = core
        self._actor = actor
        self._session_id = session_id
        self._outgoing = outgoing
        self._context = context
        self._asked: asyncio.Queue[ListStored | Decide] = asyncio.Queue(MAX_ASKED)

    def ask(self, frame: ListStored | Decide) -> None:
        """Take a question; :meth:`run` answers it.

        Raises:
            InvalidInput: ``busy``: too many wait.
        """
        try:
            self._asked.put_nowait(frame)
        except asyncio.QueueFull:
            raise InvalidInput("Too much is asked at once.", code="busy", hint="Wait for the answers.") from None

    async def run(self) -> None:
        """Answer, for ever. What was begun is brought to its end."""
        while True:
            frame = await self._asked.get()
            await uninterrupted(self._answer(frame))

    async def _answer(self, frame: ListStored | Decide) -> None:
        answer: Listing | Decided | ErrorFrame
        try:
            answer = await (self._decide(frame) if isinstance(frame, Decide) else self._list(frame))
        except UserFacing as error:
            answer = ErrorFrame(content=error.message, code=error.code, hint=error.hint, reply_to=frame.id)
        except Exception as error:  # noqa: BLE001 - one question that fails never ends the session
            incident = log_incident(error, f"{frame.type} of {self._session_id}")
            hint = f"Incident {incident}."
            answer = ErrorFrame(content=apology(incident), code="internal_error", hint=hint, reply_to=frame.id)
        await self._outgoing.send(answer)

    # Deciding

    async def _decide(self, frame: Decide) -> Decided:
        comment = plain(frame.comment)
        asked = {"request_id": frame.request_id, "kind": frame.kind, "verb": frame.verb, "comment": comment}
        with decision_log() as decided:
            try:
                await self._may_decide(frame, comment)
            except UserFacing as error:
                await self._record("decision.refused", {**asked, "code": error.code}, decided)
                raise
        await self._record("decision.confirmed", {**asked, "outcome": "confirmed"}, decided)
        approvals, kind = self._core.approvals, RequestKind(frame.kind)
        carry_out = approvals.approve if frame.verb == "approve" else approvals.deny
        view = RequestView.of(await carry_out(self._actor, kind, frame.request_id, comment))
        (await self._context()).wake()
        content = f"{view.status.capitalize()}: {view.requesting_user}, {wish(view.model_dump())}."
        return Decided(content=content, reply_to=frame.id, request=view)

    async def _may_decide(self, frame: Decide, comment: str) -> Request:
        """The request as it is stored, if this person may decide it as far as can be told beforehand.

        Raises:
            UserFacing: as the tool that decides would say.
        """
        kind = RequestKind(frame.kind)
        request, _ = await to_decide(self._core.approvals, self._actor, kind, frame.request_id, comment)
        if request.user == self._actor.user:
            raise Forbidden(
                "Nobody decides their own request.", code="own_request", hint="Somebody else has to decide it."
            )
        named = RequestKind.ACCESS_REQUEST if kind is RequestKind.ACCESS_REQUEST else RequestKind.OPERATION_APPROVAL
        if f"{frame.verb}_{named.value}" not in (await self._context()).visible:
            raise Forbidden(
                "You may not decide this request.", code="not_a_reviewer", hint="A reviewer has to decide it."
            )
        return request

    # Listing

    async def _list(self, frame: ListStored) -> Listing:
        listed = {
            "requests": self._requests,
            "orders": self._orders,
            "tools": self._tools,
            "menu": self._menu,
        }[frame.what]
        with decision_log() as decided:
            items, more = await listed(frame)
        await self._record("session.listed", {"what": frame.what, "items": len(items)}, decided)
        count = len(items)
        noun = {"requests": "request", "orders": "order", "tools": "tool", "menu": "restaurant"}[frame.what]
        content = f"{'More than ' if more else ''}{count} {noun}{'' if count == 1 else 's'}."
        return Listing(content=content, reply_to=frame.id, what=frame.what, items=items, more=more)

    async def _requests(self, frame: ListStored) -> tuple[list[dict[str, Any]], bool]:
        wanted = RequestFilter(status=RequestStatus(frame.status) if frame.status else None)
        found: list[Request] = []
        total = 0
        for kind in RequestKind:
            page = await self._core.approvals.list(self._actor, kind, wanted, 1, MAX_ITEMS)
            found += page.items
            total += page.total
        found.sort(key=lambda request: request.created_at, reverse=True)
        shown = found[:MAX_ITEMS]
        return [await self._shown(request) for request in shown], total > len(shown)

    async def _shown(self, request: Request) -> dict[str, Any]:
        arguments = await self._core.approvals.shown_arguments(self._actor, request)
        return RequestView.of(request, arguments).model_dump(mode="json")

    async def _orders(self, _: ListStored) -> tuple[list[dict[str, Any]], bool]:
        page = await OrderDesk(self._core).list(self._actor, 1, MAX_ITEMS)
        return [order.model_dump(mode="json") for order in page.orders], page.total > len(page.orders)

    async def _tools(self, _: ListStored) -> tuple[list[dict[str, Any]], bool]:
        context = await self._context()
        shown = [tool for tool in await context.listed() if tool.name in context.visible]
        return [
            {
                "name": tool.name,
                "title": tool.title or (tool.annotations.title if tool.annotations else None) or tool.name,
                "description": tool.description or "",
                "acts": not context.consent.looks(tool.name),
            }
            for tool in shown
        ], False

    async def _menu(self, _: ListStored) -> tuple[list[dict[str, Any]], bool]:
        menus = await Menu(self._core).overview(self._actor)
        return [
            {
                "restaurant": plain(place.name),
                "restaurant_id": place.ref.key,
                "dishes": [dish.name for dish in dishes],
            }
            for place, dishes in menus
        ], False

    async def _record(self, event: str, body: dict[str, Any], decided: DecisionLog) -> None:
        who = self._actor
        record = {"session": self._session_id, **body, **decided.as_dict()}
        await self._core.audit.note(AuditEvent(event, who, record))

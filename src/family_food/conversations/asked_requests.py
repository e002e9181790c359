"""Which conversation a request was asked in, and whether its decision has come back to it.

Somebody can have several conversations. The one in which a thing was asked for is the one that goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from family_food.conversations.recap import request_in
from family_food.messages import Entry, EventMessage, ToolResults
from family_food.tables import asked_requests
from permit_core.database import Database
from permit_core.ports.request import RequestKind, RequestStatus
from permit_core.prepared import Prepared

_WHERE = Prepared(select(asked_requests.c.conversation_id).where(asked_requests.c.request_id == bindparam("request")))
_ADD = Prepared(insert(asked_requests), asked_requests.c.keys())
_ANSWERED = Prepared(
    update(asked_requests)
    .where(asked_requests.c.request_id == bindparam("request"), asked_requests.c.conversation_id == bindparam("chat"))
    .values(answered=True)
)
_OPEN = Prepared(
    select(asked_requests.c.kind, asked_requests.c.request_id).where(
        asked_requests.c.conversation_id == bindparam("chat"), asked_requests.c.answered.is_(False)
    )
)


class AskedRequests:
    """Reads where requests were asked; it is written along with the entries of conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def where(self, request_id: str) -> str | None:
        """The conversation in which this was asked; None when it was none that is still there."""
        found = await self._database.read(lambda connection: _WHERE.all(connection, {"request": request_id}))
        return str(found[0].conversation_id) if found else None

    async def unanswered(self, conversation_id: str) -> Sequence[tuple[RequestKind, str]]:
        """Kind and id of what was asked in this conversation, and of which no decision has come back to it."""
        rows = await self._database.read(lambda connection: _OPEN.all(connection, {"chat": conversation_id}))
        return [(RequestKind(row.kind), row.request_id) for row in rows]


def note_asked(connection: Connection, conversation_id: str, entries: Iterable[Entry]) -> None:
    """Remember the requests that calls of this conversation have made; in the transaction of their results."""
    for entry in entries:
        for result in entry.results if isinstance(entry, ToolResults) else ():
            made = request_in(result)
            if made is None or made.status != RequestStatus.PENDING.value:
                continue
            if not _WHERE.all(connection, {"request": made.id}):
                row = {"request_id": made.id, "kind": made.kind, "conversation_id": conversation_id, "answered": False}
                _ADD.run(connection, row)


def note_answered(connection: Connection, conversation_id: str, entries: Iterable[Entry]) -> None:
    """Remember that decisions have come back; in the transaction of the entries that tell of them."""
    for entry in entries:
        if isinstance(entry, EventMessage) and entry.event == "request_decided":
            _ANSWERED.run(connection, {"request": str(entry.data.get("id", "")), "chat": conversation_id})

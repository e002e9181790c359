"""A family chat whose model and whose clients mean no good, and looks into its database from outside."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from permit_core.access import ResourceRef
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind, RequestStatus
from server import create_app
from tests.support.chat_server import ChatClient, ChatServer, Frame, serving
from tests.support.core import ENVIRONMENT, SYSTEM, family_settings
from tests.support.scripted_model import Script, ScriptedModel, calls, says

ACCESS = RequestKind.ACCESS_REQUEST
OPERATION = RequestKind.OPERATION_APPROVAL
JOE = Actor("default", "default", "1", "Joe")
JANE = Actor("default", "default", "2", "Jane")
HENRY = Actor("default", "default", "3", "Henry")
ROSE = Actor("default", "default", "4", "Rose")
DEAR = ResourceRef("dishes", "1-pepperoni-pizza")
DEAR_BURGER = ResourceRef("dishes", "2-deluxe-burger")
CLOSED = ResourceRef("restaurants", "4")


@dataclass
class Puppet:
    """A chat server, and a model that does whatever a test says, for whomever it speaks to."""

    server: ChatServer
    model: ScriptedModel
    file: Path

    def will(self, *scripts: Script) -> None:
        """What the model does from now on, a script a step; the last one is repeated."""
        self.model._scripts.clear()
        self.model._scripts.extend(scripts)

    def will_call(self, *wanted: tuple[str, dict[str, Any]]) -> None:
        """Whatever a person says, the model answers with these calls in one step; to all else it has nothing to say."""
        self.will(lambda prompt: calls(*wanted) if prompt.entries[-1].kind == "user" else says("There."))

    def will_order(self, *dishes: tuple[str, str]) -> None:
        """The model orders dishes, given as restaurant and dish, in one step."""
        self.will_call(*(("order_dish", {"restaurant_id": place, "dish_name": dish}) for place, dish in dishes))

    def will_decide(self, *requests: Request, verb: str = "approve") -> None:
        """The parent's model decides requests in one step."""
        self.will_call(
            *((f"{verb}_{one.kind.value}", {f"{one.kind.value}_id": one.id}) for one in requests),
        )

    async def asked(self, who: Actor = HENRY, dish: ResourceRef = DEAR, reason: str = "my birthday") -> Request:
        """A child asks to order a dish once, and nobody has been told yet."""
        request = await self.server.backend.core.approvals.ask_operation(who, dish, "order", reason)
        await self.told()
        return request

    async def approved(self, who: Actor = HENRY, dish: ResourceRef = DEAR) -> Request:
        """A child may order a dish once, and knows."""
        request = await self.server.backend.core.approvals.approve(JOE, OPERATION, (await self.asked(who, dish)).id)
        await self.told()
        return request

    async def told(self) -> None:
        """What has happened so far is news to nobody."""
        board = self.server.backend.core.notices
        await board.mark_delivered([notice.id for notice in await board.after(0)])

    async def status(self, request: Request) -> RequestStatus:
        asker = Actor("default", request.tenant, request.user, request.user_name)
        return (await self.server.backend.core.approvals.get(asker, request.kind, request.id)).status

    async def price(self, dish: ResourceRef, cents: int) -> None:
        """Whoever keeps the menu changes a price."""
        directory = self.server.backend.core.directory
        now = await directory.instance(ENVIRONMENT, "default", dish)
        assert now is not None
        await directory.put_instance(SYSTEM, replace(now, attributes={**now.attributes, "price_cents": cents}))

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """What another program does to the database file."""
        with closing(sqlite3.connect(self.file, timeout=10)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def placed(self) -> list[tuple[str, str, int, str | None]]:
        """Every order: user, dish, price, approval."""
        return self.sql("SELECT user_key, dish_key, price_cents, approval_id FROM orders ORDER BY placed_at")

    def clear(self) -> None:
        """Forget requests and orders; what is on record stays there."""
        for table in ("orders", "requests"):
            self.sql(f"DELETE FROM {table}")


@asynccontextmanager
async def puppet_show(folder: Path, **settings: Any) -> AsyncIterator[Puppet]:
    """Run a server over a database of its own."""
    file = folder / "family.db"
    chosen = family_settings(folder, db_name=str(file), model="demo", secret_key="", **settings)
    model = ScriptedModel(says("Hello."))
    async with serving(create_app(lambda: chosen, model=model)) as server:
        yield Puppet(server, model, file)


async def question_to(parent: ChatClient) -> Frame:
    """The next question that only the person can answer, once its words have come as well."""
    question = await parent.next("confirm")
    await parent.next("text")
    return question


async def answer(parent: ChatClient, question: Frame, yes: bool) -> None:
    await parent.send(type="confirm", confirm_id=question["confirm_id"], answer=yes)


@asynccontextmanager
async def deaf_window(server: ChatServer, username: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """A window that speaks and never reads: what it is told stays with the server. Yields how it says something."""
    loop = asyncio.get_running_loop()
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", server.port))
        key = base64.b64encode(b"0123456789abcdef").decode()
        lines = (
            "GET /ws/chat HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}", f"Authorization: Bearer {server.token(username)}", "", "",
        )  # fmt: skip
        await loop.sock_sendall(raw, "\r\n".join(lines).encode())

        async def say(message: str) -> None:
            data = json.dumps({"message": message}).encode()
            await loop.sock_sendall(raw, bytes([0x81, 0x80 | len(data)]) + bytes(4) + data)  # a mask of zeros

        yield say


async def all_of(*work: Any) -> Sequence[Any]:
    """Everything at once, within bounds."""
    async with asyncio.timeout(60):
        return await asyncio.gather(*work)

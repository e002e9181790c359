"""The gate: who calls, into which environment, and one transaction for the whole call.

The key is looked up in the transaction that does the work, so one that was taken away opens nothing from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from permit_api.decisions.compiling import compile_model
from permit_api.decisions.snapshots import Snapshots
from permit_api.faults import forbidden, unauthorized
from permit_api.nouns import account
from permit_api.nouns.account import Caller
from permit_api.nouns.logins import PREFIX as LOGIN_PREFIX
from permit_api.nouns.logins import find_login
from permit_api.nouns.requests import Acting, acting
from permit_api.store.session import Listed, Paging, Row, Session
from permit_api.store.tables import environments, tenants, users
from permit_core.clock import Clock
from permit_core.database import Database

T = TypeVar("T")

NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Server:
    """What every call needs; one for each application."""

    database: Database
    snapshots: Snapshots
    clock: Clock


def server_of(request: Request) -> Server:
    """The server that this application was made with."""
    server: Server = request.app.state.server
    return server


def bearer(request: Request) -> str | None:
    """The token of the ``Authorization`` header."""
    return token_in(request.scope["headers"])


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token of the first ``Authorization`` header; their names are in lower case."""
    header = next((value for name, value in headers if name == b"authorization"), b"").decode("latin-1")
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def paging(
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1, per_page: Annotated[int, Query(ge=1, le=100)] = 30
) -> Paging:
    """``page`` and ``per_page`` of a list."""
    return Paging(page, per_page)


InPages = Annotated[Paging, Depends(paging)]

_BY_ATTRIBUTE = "attr_"


def paging_by_attributes(request: Request, pages: InPages) -> Paging:
    """The same of a list that ``attr_NAME=VALUE`` narrows."""
    given = request.query_params.multi_items()
    asked = [(name.removeprefix(_BY_ATTRIBUTE), value) for name, value in given if name.startswith(_BY_ATTRIBUTE)]
    return replace(pages, attributes=tuple(asked))


ByAttributes = Annotated[Paging, Depends(paging_by_attributes)]


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    """A call and all that it depends on."""
    yield dependant
    for part in dependant.dependencies:
        yield from _parts(part)


def known_query(request: Request) -> None:
    """Refuse a parameter that this call does not know: a list that it was to narrow would be answered whole.

    Raises:
        RequestValidationError: there is one; answered with 422 to whoever may call at all.
    """
    route = request.scope.get("route")
    if request.method != "GET" or not isinstance(route, APIRoute):
        return
    parts = list(_parts(route.dependant))
    known = {"page", "per_page"} | {field.alias for part in parts for field in part.query_params}
    by_attributes = any(part.call is paging_by_attributes for part in parts)
    for name in request.query_params:
        if name not in known and not (by_attributes and name.startswith(_BY_ATTRIBUTE)):
            said = {"loc": ("query", name), "msg": "this call knows no such parameter", "type": "extra_forbidden"}
            raise RequestValidationError([said])


class Account:
    """A call about projects, environments or keys."""

    def __init__(self, request: Request) -> None:
        self._server, self._token = server_of(request), bearer(request)

    async def read(self, work: Callable[[Caller], Any]) -> Response:
        """Answer with what ``work`` returns."""
        return answer(await self._server.database.read(lambda connection: work(self.enter(connection))))

    async def write(self, work: Callable[[Caller], Any], status: int = 200) -> Response:
        """Answer with what ``work`` returns, once it is stored."""

        def done(connection: Connection) -> Any:
            caller = self.enter(connection)
            may_write(caller)
            return work(caller)

        return answer(await self._server.database.write(done), status)

    def enter(self, connection: Connection) -> Caller:
        """Whoever calls; raises what a stranger is refused with."""
        return enter(connection, self._token, self._server)


class InEnvironment:
    """A call within one environment: that of the path, or for ``/facts`` that of the key."""

    def __init__(self, request: Request) -> None:
        self._server, self._token, self._path = server_of(request), bearer(request), request.path_params

    async def read(self, work: Callable[[Session], Any], *, envelope: bool | None = None) -> Response:
        """Answer with what ``work`` returns.

        Args:
            work: reads within the environment.
            envelope: for lists: True for ``{data, total_count, page_count}``, False for the bare list.
        """

        def done(connection: Connection) -> Any:
            return work(self.enter(connection))

        return answer(listed(await self._server.database.read(done), envelope))

    async def write(self, work: Callable[[Session], Any], status: int = 200) -> Response:
        """Answer with what ``work`` returns, once it is stored. What would make the schema invalid is refused."""

        def done(connection: Connection) -> Any:
            session = self._session(connection, write=True)
            result = work(session)
            finish(session)
            return result

        return answer(await self._server.database.write(done), status)

    def _session(self, connection: Connection, *, write: bool) -> Session:
        caller = enter(connection, self._token, self._server)
        if write:
            may_write(caller)
        return Session(connection, environment_of(caller, self._path), caller.now)

    def enter(self, connection: Connection) -> Session:
        """Whoever calls, in the environment; raises what a stranger is refused with."""
        return self._session(connection, write=False)


class AsUser:
    """A call of a user who is logged in to an element."""

    def __init__(self, request: Request, elements_config_id: str) -> None:
        self._server, self._token, self._path = server_of(request), bearer(request), request.path_params
        self._element = elements_config_id

    async def read(self, work: Callable[[Session, Acting], Any]) -> Response:
        """Answer with what ``work`` returns."""

        def done(connection: Connection) -> Any:
            return work(*self.enter(connection))

        return answer(listed(await self._server.database.read(done), envelope=True))

    async def write(self, work: Callable[[Session, Acting], Any]) -> Response:
        """Answer with what ``work`` returns, once it is stored."""

        def done(connection: Connection) -> Any:
            session, who = self.enter(connection)
            result = work(session, who)
            finish(session)
            return result

        return answer(await self._server.database.write(done))

    def enter(self, connection: Connection) -> tuple[Session, Acting]:
        """The environment, and who is logged in; raises what a stranger is refused with."""
        now = self._server.clock()
        if self._token is None or not self._token.startswith(LOGIN_PREFIX):
            raise unauthorized("this call is made with the token of an element log-in")
        login = find_login(connection, self._token, now)
        if login is None:
            raise unauthorized("this log-in is not known, or has ended")
        inside = Session(connection, {"id": login["environment_id"]}, now)
        row = inside.by_id(environments, login["environment_id"])
        key = {"organization_id": row["organization_id"], "project_id": row["project_id"], "environment_id": row["id"]}
        found = account.find_environment(Caller(connection, key, now), self._path["proj_id"], self._path["env_id"])
        session = Session(connection, found, now)
        user, tenant = session.by_id(users, login["user_id"]), session.by_id(tenants, login["tenant_id"])
        return session, acting(session, self._element, user["id"], tenant["id"], by_login=True)


def enter(connection: Connection, token: str | None, server: Server) -> Caller:
    """Whoever has this API key.

    Raises:
        ApiFault: 401, nobody has.
    """
    key = None if token is None else account.find_key(connection, token)
    if key is None:
        raise unauthorized("an API key is needed: Authorization: Bearer permit_key_...")
    return Caller(connection, key, server.clock())


def may_write(caller: Caller) -> None:
    """Raise 403 for a key that only reads."""
    if caller.key["access_level"] not in {"admin", "write"}:
        raise forbidden("this API key only reads")


def environment_of(caller: Caller, path: dict[str, str]) -> Row:
    """The environment of a path; where the path names none, the one that the key is of.

    Raises:
        ApiFault: 403, the key does not reach it, or is of no environment; 404, it is not there.
    """
    if "env_id" in path:
        return account.find_environment(caller, path["proj_id"], path["env_id"])
    if caller.key["environment_id"] is None:
        raise forbidden("the decision point needs the API key of one environment")
    session = Session(caller.connection, {"id": caller.key["environment_id"]}, caller.now)
    return session.by_id(environments, caller.key["environment_id"])


def finish(session: Session) -> None:
    """The end of every write: the schema must compile, and the versions count up."""
    if session.changed_schema:
        compile_model(session)
    session.bump()


def listed(result: Any, envelope: bool | None) -> Any:
    """A list in the shape that was asked for; everything else as it is."""
    if not isinstance(result, Listed):
        return result
    return result.envelope() if envelope else result.data


def answer(result: Any, status: int = 200) -> Response:
    """JSON, an empty object for None, nothing for 204; what ``work`` made into an answer already stays."""
    if isinstance(result, Response):
        return result
    return (
        Response(status_code=NO_CONTENT)
        if status == NO_CONTENT
        else JSONResponse({} if result is None else result, status)
    )


ForAccount = Annotated[Account, Depends()]
Scope = Annotated[InEnvironment, Depends()]
UserScope = Annotated[AsUser, Depends()]


_GATES: dict[Any, Callable[[Request], Account | InEnvironment | AsUser]] = {
    Account: Account,
    InEnvironment: InEnvironment,
    AsUser: lambda request: AsUser(request, request.path_params["elements_config_id"]),
}


async def refuse_strangers(request: Request) -> None:
    """Look who makes a call that cannot be read, and will therefore never come to its gate.

    Raises:
        ApiFault: as the gate of the call.
        StoreError: the database is unreachable.
    """
    route = request.scope.get("route")
    needed = [each.call for each in _parts(route.dependant)] if isinstance(route, APIRoute) else []
    for gate in _GATES.keys() & set(needed):
        await server_of(request).database.read(_GATES[gate](request).enter)

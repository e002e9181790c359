"""The gate: who calls, into which environment, and one transaction for the whole call.

The key is looked up in the transaction that does the work, so one that was taken away opens nothing from then on. What a
call writes is recorded in that transaction too, in the chain of the environment that it was done to. What it does to
projects, environments and keys is recorded in the chain of the organisation, with a copy in each environment it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from permit_api.decisions.compiling import compile_model
from permit_api.decisions.log import CheckLog
from permit_api.decisions.snapshots import Snapshots
from permit_api.faults import conflict, forbidden, invalid, unauthorized
from permit_api.nouns import account
from permit_api.nouns.account import Caller
from permit_api.nouns.logins import PREFIX as LOGIN_PREFIX
from permit_api.nouns.logins import find_login
from permit_api.nouns.requests import Acting, acting
from permit_api.store.register import Requests
from permit_api.store.session import Listed, Opened, Paging, Row, Session
from permit_api.store.tables import environments, tenants, users
from permit_core.audit.chain import canonical
from permit_core.audit.comparisons import ALL_ROLES
from permit_core.audit.log import AuditLog
from permit_core.clock import Clock
from permit_core.database import Database
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from permit_core.redaction import masked

T = TypeVar("T")

NO_CONTENT = 204
PROGRAM = "api_key"
"""What the names of programs begin with in the log; the id of their key follows."""


@dataclass(frozen=True, slots=True)
class Server:
    """What every call needs; one for each application."""

    database: Database
    snapshots: Snapshots
    clock: Clock
    audit: AuditLog
    register: Requests
    checks: CheckLog


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


class _Gate:
    """One transaction for a call, and the record of what it wrote."""

    def __init__(self, request: Request) -> None:
        self._request, self._server, self._token = request, server_of(request), bearer(request)
        self._path: dict[str, str] = request.path_params

    def enter(self, opened: Opened) -> object:
        """Look who calls; raises what a stranger is refused with."""
        raise NotImplementedError

    async def look(self) -> None:
        """Look who calls, and do nothing."""
        await self._read(self.enter)

    async def _read(self, work: Callable[[Opened], Any]) -> Any:
        clock = self._server.clock
        return await self._server.database.read(lambda connection: work(Opened(connection, clock())))

    async def _write(self, work: Callable[[Opened], tuple[Any, list[Actor]]], environment: str | None = None) -> Any:
        """The same for what writes.

        Args:
            work: what is done; answers with its result, and with who is said to have done it, for each chain.
            environment: the only one that is written; None for all.
        """
        given = await self._given()

        def done(connection: Connection) -> Any:
            opened = Opened(connection, self._server.clock(), self._server.register)
            result, actors = work(opened)
            if environment is not None and any(actor.environment != environment for actor in actors):
                raise conflict("the environment was made anew meanwhile: try again")
            opened.tell()
            record(self._server.audit, opened, actors, self._event, given)
            return result

        return await self._server.database.write(done, environment=environment)

    async def _environment(self, find: Callable[[Opened], Session]) -> str | None:
        """The environment that a call writes, where those who write others need not wait for it: on PostgreSQL."""
        if self._server.database.is_sqlite:
            return None
        return str(await self._read(lambda opened: find(opened).environment_id))

    @property
    def _event(self) -> str:
        route: APIRoute = self._request.scope["route"]
        return f"api.{str(route.tags[0]).lower().replace(' ', '_')}.{route.name}"

    async def _given(self) -> dict[str, Any]:
        """What was sent, its secrets masked: the parts of the address, and the body, which was read already.

        Raises:
            ApiFault: 400, it cannot be written as JSON.
        """
        said = {"path": self._path, "query": dict(self._request.query_params)}
        body = await self._request.json() if await self._request.body() else None
        given = {**{name: value for name, value in said.items() if value}, **({} if body is None else {"given": body})}
        try:
            given = masked(given)
            canonical(given)
        except (ValueError, RecursionError):
            raise invalid("the body is nested too deeply, or has a number that is not finite") from None
        return given


def record(
    audit: AuditLog, opened: Opened, actors: Iterable[Actor], event: str, given: Mapping[str, Any] | None = None
) -> None:
    """Record what was done in an open transaction: what was sent, its secrets masked already, and what came of it."""
    body = dict(given or {})
    if opened.made:
        body["made"] = dict(opened.made)
    if opened.removed.total():
        body["removed"] = +opened.removed
    audit.append_now(
        opened.connection, *(AuditEvent(event, actor, body | _roles(opened, actor.environment)) for actor in actors)
    )


def _roles(opened: Opened, environment: str) -> dict[str, Any]:
    """The roles that were given and taken in an environment, by which the log is compared with those that are there."""
    if environment in opened.forgotten:
        return {"roles_taken": ALL_ROLES}
    said: dict[str, list[dict[str, str]]] = {"roles": [], "roles_taken": []}
    for role, given in opened.roles[environment].items():
        on = {} if role.resource is None else {"instance": str(role.resource)}
        said["roles" if given else "roles_taken"].append(
            {"user": role.user, "role": role.role, "tenant": role.tenant, **on}
        )
    return {name: roles for name, roles in said.items() if roles}


class Account(_Gate):
    """A call about projects, environments or keys."""

    async def read(self, work: Callable[[Caller], Any]) -> Response:
        """Answer with what ``work`` returns."""
        return answer(await self._read(lambda opened: work(self.enter(opened))))

    async def write(self, work: Callable[[Caller], Any], status: int = 200) -> Response:
        """Answer with what ``work`` returns, once it is stored."""

        def done(opened: Opened) -> tuple[Any, list[Actor]]:
            caller = self.enter(opened)
            may_write(caller)
            result = work(caller)
            return result, [Actor(chain, "", opened.program) for chain in (caller.organization_id, *opened.about)]

        return answer(await self._write(done), status)

    def enter(self, opened: Opened) -> Caller:
        """Whoever calls; raises what a stranger is refused with."""
        return caller_of(opened, self._token)


class InEnvironment(_Gate):
    """A call within one environment: that of the path, or for ``/facts`` that of the key."""

    async def read(self, work: Callable[[Session], Any], *, envelope: bool | None = None) -> Response:
        """Answer with what ``work`` returns.

        Args:
            work: reads within the environment.
            envelope: for lists: True for ``{data, total_count, page_count}``, False for the bare list.
        """
        return answer(listed(await self._read(lambda opened: work(self.enter(opened))), envelope))

    async def write(self, work: Callable[[Session], Any], status: int = 200) -> Response:
        """Answer with what ``work`` returns, once it is stored. What would make the schema invalid is refused."""

        def done(opened: Opened) -> tuple[Any, list[Actor]]:
            caller = caller_of(opened, self._token)
            may_write(caller)
            session = Session(opened, environment_of(caller, self._path))
            result = work(session)
            finish(session)
            return result, [Actor(session.environment_id, "", opened.program)]

        return answer(await self._write(done, await self._environment(self.enter)), status)

    def enter(self, opened: Opened) -> Session:
        """Whoever calls, in the environment; raises what a stranger is refused with."""
        return Session(opened, environment_of(caller_of(opened, self._token), self._path))


class AsUser(_Gate):
    """A call of a user who is logged in to an element."""

    def __init__(self, request: Request, elements_config_id: str) -> None:
        super().__init__(request)
        self._element = elements_config_id

    async def read(self, work: Callable[[Session, Acting], Any]) -> Response:
        """Answer with what ``work`` returns."""
        return answer(listed(await self._read(lambda opened: work(*self.enter(opened))), envelope=True))

    async def write(self, work: Callable[[Session, Acting], Any]) -> Response:
        """Answer with what ``work`` returns, once it is stored."""

        def done(opened: Opened) -> tuple[Any, list[Actor]]:
            session, who = self.enter(opened)
            result = work(session, who)
            finish(session)
            return result, [who.actor]

        return answer(await self._write(done, await self._environment(lambda opened: self.enter(opened)[0])))

    def enter(self, opened: Opened) -> tuple[Session, Acting]:
        """The environment, and who is logged in; raises what a stranger is refused with."""
        if self._token is None or not self._token.startswith(LOGIN_PREFIX):
            raise unauthorized("this call is made with the token of an element log-in")
        login = find_login(opened.connection, self._token, opened.now)
        if login is None:
            raise unauthorized("this log-in is not known, or has ended")
        inside = Session(opened, {"id": login["environment_id"]})
        row = inside.by_id(environments, login["environment_id"])
        key = {"organization_id": row["organization_id"], "project_id": row["project_id"], "environment_id": row["id"]}
        session = Session(
            opened, account.find_environment(Caller(opened, key), self._path["proj_id"], self._path["env_id"])
        )
        user, tenant = session.by_id(users, login["user_id"]), session.by_id(tenants, login["tenant_id"])
        opened.program = f"{PROGRAM}:{login['key_id']}"
        return session, acting(session, self._element, user["id"], tenant["id"], login["id"])


def caller_of(opened: Opened, token: str | None) -> Caller:
    """Whoever has this API key.

    Raises:
        ApiFault: 401, nobody has.
    """
    key = None if token is None else account.find_key(opened.connection, token)
    if key is None:
        raise unauthorized("an API key is needed: Authorization: Bearer permit_key_...")
    opened.program = f"{PROGRAM}:{key['id']}"
    return Caller(opened, key)


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
    session = Session(caller.opened, {"id": caller.key["environment_id"]})
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


_GATES: dict[Any, Callable[[Request], _Gate]] = {
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
        await _GATES[gate](request).look()

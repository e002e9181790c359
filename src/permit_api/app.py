"""The application: every router at its address."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import Receive, Scope, Send

from permit_api.answers import Limits, answer_errors
from permit_api.decisions.log import CheckLog
from permit_api.decisions.snapshots import Snapshots
from permit_api.routes import account, checks, elements, facts, requests, schema
from permit_api.routes.at_once import AtOnce
from permit_api.routes.gate import Server, known_query, refuse_strangers
from permit_api.store.register import Requests
from permit_core.audit.log import AuditLog
from permit_core.clock import Clock, utc_now
from permit_core.database import Database

_FACTS = (*facts.ROUTERS, requests.of_keys)
_ELEMENTS = (*requests.of_elements, *elements.ROUTERS)
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": said}
    for status, said in {
        400: "What was sent does not fit together.",
        401: "There is no such API key.",
        403: "The key does not reach this, or the user may not.",
        404: "There is no such thing.",
        409: "It is there already, or is decided already.",
        413: "The body is too large.",
        503: "The database does not answer; try again.",
    }.items()
}


class Application(FastAPI):
    """The framework's application, with checks answered before anything of the framework is run."""

    def __init__(self, server: Server, **described: Any) -> None:
        super().__init__(**described)
        self.state.server = server
        self._at_once = AtOnce(super().__call__, server)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._at_once(scope, receive, send)

    async def close(self) -> None:
        """Keep what was answered a moment ago."""
        await self.state.server.checks.close()


def create_app(database: Database, clock: Clock = utc_now, audit: AuditLog | None = None) -> Application:
    """The control plane and the decision point over one database.

    Args:
        database: brought up to date by ``store.opening.open_store``; whoever opened it closes it, after the application.
        clock: the present moment, in UTC.
        audit: the log of that database, which whoever opened it closes; None: one that is not signed.
    """
    log = audit or AuditLog(database, clock)
    register, checked = Requests(database, log), CheckLog(database, clock)
    app = Application(
        Server(database, Snapshots(database, clock), clock, log, register, checked),
        title="Permit-compatible API",
        version="2.0.0",
        responses=_ERRORS,
        redirect_slashes=False,
    )
    known = Depends(known_query)
    app.include_router(checks.ready)
    for router in (checks.router, elements.login, *account.ROUTERS):
        app.include_router(router, dependencies=[known])
    app.include_router(checks.kept, dependencies=[known, Depends(checks.written)])
    for prefix, routers in (("schema", schema.ROUTERS), ("facts", _FACTS), ("elements", _ELEMENTS)):
        within = APIRouter(prefix=f"/v2/{prefix}/{{proj_id}}/{{env_id}}", dependencies=[known])
        for router in routers:
            within.include_router(router)
        app.include_router(within)
    for router in _FACTS:
        app.include_router(router, prefix="/facts", dependencies=[known, Depends(facts.read_waiting)])
    answer_errors(app, refuse_strangers)
    app.add_middleware(Limits)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The API description, with the parts of addresses that the gate reads and the routers do not name."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for path, item in found["paths"].items():
            named = [name for name in ("proj_id", "env_id") if f"{{{name}}}" in path]
            for operation in item.values():
                there = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
                operation.setdefault("parameters", []).extend(
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in named
                    if name not in there
                )
        app.openapi_schema = found
    return app.openapi_schema

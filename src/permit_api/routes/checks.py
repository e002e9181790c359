"""The decision point: may somebody, who may, and what may somebody."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response

from permit_api.decisions import answers
from permit_api.decisions.answers import Wanted
from permit_api.decisions.entry import KeyRefused, find_versions
from permit_api.decisions.log import CheckLog
from permit_api.decisions.snapshots import EnvironmentGone, Snapshot
from permit_api.faults import PlainRefusal
from permit_api.nouns import checks as nouns
from permit_api.nouns.assignments import held_roles
from permit_api.nouns.tenants import DEFAULT_TENANT
from permit_api.routes.crud import Calls, Filter, Filters
from permit_api.routes.gate import InPages, Scope, bearer, server_of
from permit_api.store.session import Session
from permit_core.access import Check, ResourceRef
from permit_core.errors import StoreError
from permit_core.identity import DEFAULT_ENVIRONMENT, Actor

router = APIRouter(tags=["Decisions"])
ready = APIRouter(tags=["Health"])
kept = Calls("/v2/pdps/{proj_id}/{env_id}/audit_logs", "Audit logs")

MAX_CHECKS = 10_000
Seconds = Annotated[int | None, Query(ge=0, le=253_000_000_000, description="Seconds since 1970.")]
Attributes = dict[str, Any]


class UserInput(BaseModel):
    """Who asks; attributes count over the stored ones for this check. What else is sent is not looked at."""

    key: str
    attributes: Attributes | None = None


class ResourceInput(BaseModel):
    """On what: a type, or one instance of it."""

    type: str
    key: str | None = None
    tenant: str | None = None
    attributes: Attributes | None = None
    context: Attributes | None = None


class CheckInput(BaseModel):
    """One check."""

    user: UserInput
    action: str
    resource: ResourceInput
    context: Attributes | None = None


class UserTenantsInput(BaseModel):
    """Whose tenants."""

    user: UserInput
    context: Attributes | None = None


class AuthorizedUsersInput(BaseModel):
    """Who may do what."""

    action: str
    resource: ResourceInput
    context: Attributes | None = None


class UserPermissionsInput(BaseModel):
    """Whose permissions, and which of them; what is null is not narrowed."""

    user: UserInput
    tenants: list[str] | None = None
    resources: list[str] | None = None
    resource_types: list[str] | None = None
    context: Attributes | None = None


_CHECK: TypeAdapter[CheckInput] = TypeAdapter(CheckInput)
_ANSWER: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
# The body of ``/allowed/all-tenants`` puts it among the components.
_ASK = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CheckInput"}}},
    }
}


@dataclass(frozen=True, slots=True)
class Point:
    """The decision point of one environment in its newest state.

    Attributes:
        environment_id: of whose.
        snapshot: what it decides by and on.
        log: keeps the checks that are made.
    """

    environment_id: str
    snapshot: Snapshot
    log: CheckLog

    def answer(self, check: Check) -> Response:
        """The answer to one check, which is kept."""
        found = answers.answer(self.snapshot, check)
        response = Response(_ANSWER.dump_json(found), media_type="application/json")
        self.log.note(self.environment_id, check, found)
        return response


async def newest(request: Request) -> Point:
    """The environment of the key, with its newest state; both are read in one go.

    Raises:
        PlainRefusal: 401 without a key, 403 with one that is not known.
    """
    server = server_of(request)
    token = bearer(request)
    if token is None:
        raise PlainRefusal(401, "Missing Authorization header")
    try:
        environment_id, versions = await find_versions(server.database, token)
        return Point(environment_id, await server.snapshots.at(environment_id, versions), server.checks)
    except (KeyRefused, EnvironmentGone):
        raise PlainRefusal(403, "Invalid API key") from None


Newest = Annotated[Point, Depends(newest)]


@router.post("/allowed", openapi_extra=_ASK, responses={422: {"description": "The check cannot be read."}})
async def allowed(request: Request, found: Newest) -> Response:
    """May this user do this?"""
    # Read by hand: this is asked before everything else that anybody does, and the framework's way costs more.
    try:
        check = read_check(await request.body())
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        ) from None
    return found.answer(check)


@router.post("/allowed/bulk")
async def allowed_bulk(found: Newest, body: Annotated[list[CheckInput], Field(max_length=MAX_CHECKS)]) -> Response:
    """Many checks against one state, answered in their order."""
    checks = [_check(asked) for asked in body]
    given = await to_thread.run_sync(lambda: [answers.answer(found.snapshot, check) for check in checks])
    for check, each in zip(checks, given, strict=True):
        found.log.note(found.environment_id, check, each)
    return await to_thread.run_sync(JSONResponse, {"allow": given})


@router.post("/allowed/all-tenants")
async def allowed_all_tenants(found: Newest, body: CheckInput) -> Response:
    """In which tenants may this user do this?"""
    tenants = await to_thread.run_sync(answers.all_tenants, found.snapshot, _check(body))
    return JSONResponse({"allowed_tenants": tenants})


@router.post("/user-tenants")
async def user_tenants(found: Newest, body: UserTenantsInput) -> Response:
    """The tenants in which the user holds a role."""
    return JSONResponse(await to_thread.run_sync(answers.user_tenants, found.snapshot, body.user.key))


@router.post("/user-permissions")
async def user_permissions(found: Newest, body: UserPermissionsInput) -> Response:
    """What the user may do, by tenant and by instance."""
    about = (body.user.attributes or {}, body.context or {})
    wanted = Wanted(_set(body.tenants), _set(body.resources), _set(body.resource_types), *about)
    return JSONResponse(await to_thread.run_sync(answers.user_permissions, found.snapshot, body.user.key, wanted))


@router.post("/authorized_users")
async def authorized_users(found: Newest, body: AuthorizedUsersInput) -> Response:
    """Who may do this, and by which assignments."""
    ref = ResourceRef(body.resource.type, body.resource.key or None)
    tenant = body.resource.tenant or DEFAULT_TENANT
    return JSONResponse(
        await to_thread.run_sync(partial(answers.authorized_users, found.snapshot, body.action, ref, tenant))
    )


@router.get("/local/role_assignments")
async def local_role_assignments(
    scope: Scope,
    pages: InPages,
    *,
    user: Filter = None,
    role: Filter = None,
    tenant: Filter = None,
    resource: Filter = None,
    resource_instance: Annotated[str | None, Query(max_length=210)] = None,
) -> Response:
    """The role assignments, by keys."""
    return await scope.read(
        lambda session: held_roles(
            session,
            pages,
            user=user,
            role=role,
            tenant=tenant,
            resource=resource,
            resource_instance=resource_instance,
        )
    )


async def written(request: Request) -> None:
    """Let what was answered a moment ago be there for whoever asks now, unless writers wait in a queue."""
    with suppress(StoreError):
        await server_of(request).checks.flush()


@dataclass(frozen=True, slots=True)
class Which:
    """Which of the checks that were made."""

    users: Filters
    resources: Filters
    pdp_id: UUID | None = None
    decision: bool | None = None
    tenant: Filter = None
    action: Filter = None
    timestamp_from: Seconds = None
    timestamp_to: Seconds = None
    query_type: Literal["check", "get_user_permissions", "get_authorized_users", "none"] = "none"


@kept.reads()
def list_checks(
    session: Session,
    /,
    pages: InPages,
    which: Annotated[Which, Depends()],
    sort_by: Literal["None", "timestamp"] = "timestamp",  # in both cases the newest first
) -> dict[str, Any]:
    """The checks that were made, the newest first."""
    return nouns.list_checks(session, pages, **asdict(which))


@kept.reads("/{log_id}")
def get_check(session: Session, /, log_id: UUID) -> dict[str, Any]:
    """One check, with what was asked and answered as a whole."""
    return nouns.get_check(session, log_id)


@ready.get("/health", responses={503: {"description": "The database is not there."}})
@ready.get("/healthy", responses={503: {"description": "The database is not there."}})
@ready.get("/ready", responses={503: {"description": "The database is not there."}})
async def health(request: Request) -> Response:
    """``ok`` while the database can be read and written."""
    try:
        await server_of(request).database.check()
    except StoreError:
        return _said("error", 503)
    return _said("ok", 200)


def read_check(body: bytes) -> Check:
    """The check in the body of a call.

    Raises:
        ValidationError: it cannot be read.
    """
    return _check(_CHECK.validate_json(body))


def _check(asked: CheckInput) -> Check:
    user, resource = asked.user, asked.resource
    return Check(
        Actor(DEFAULT_ENVIRONMENT, resource.tenant or DEFAULT_TENANT, user.key),
        asked.action,
        ResourceRef(resource.type, resource.key or None),
        user_attributes=user.attributes or {},
        resource_attributes=resource.attributes or {},
        context={**(resource.context or {}), **(asked.context or {})},
    )


def _set(named: list[str] | None) -> frozenset[str] | None:
    return None if named is None else frozenset(named)


def _said(status: str, code: int) -> Response:
    components = {name: {"status": status} for name in ("horizon", "opa")}
    return JSONResponse({"status": status, "components": components}, code)

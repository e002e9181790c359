"""Elements, and the log-in of a user to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from permit_api.nouns import elements, logins
from permit_api.nouns.holding import holds_any
from permit_api.nouns.instances import instance_of
from permit_api.nouns.requests import Acting
from permit_api.routes.gate import InPages, Scope, UserScope, bearer, enter, server_of
from permit_api.shapes.elements import ElementsConfigCreate, ElementsConfigUpdate, LoginAs
from permit_api.store.session import Session

router = APIRouter(tags=["Elements"])
login = APIRouter(prefix="/v2/auth", tags=["Elements"])


@router.get("/config")
async def list_elements(
    scope: Scope, pages: InPages, include_total_count: Annotated[bool, Query(include_in_schema=False)] = True
) -> Response:
    """The elements."""
    return await scope.read(lambda session: elements.list_elements(session, pages), envelope=include_total_count)


@router.post("/config")
async def create_element(scope: Scope, body: ElementsConfigCreate) -> Response:
    """A new element."""
    return await scope.write(lambda session: elements.create_element(session, body))


@router.get("/config/{elements_config_id}")
async def get_element(scope: Scope, elements_config_id: str) -> Response:
    """One element."""
    return await scope.read(
        lambda session: elements.read_element(session, elements.element_of(session, elements_config_id))
    )


@router.patch("/config/{elements_config_id}")
async def change_element(scope: Scope, elements_config_id: str, body: ElementsConfigUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: elements.change_element(session, elements_config_id, body))


@router.delete("/{elements_config_id}", status_code=204)
async def delete_element(scope: Scope, elements_config_id: str) -> Response:
    """Take an element away."""
    return await scope.write(lambda session: elements.delete_element(session, elements_config_id), 204)


@router.get("/config/{elements_config_id}/runtime")  # noqa: FAST003 (the scope takes the element)
async def runtime(
    scope: UserScope, resource_instance_id: Annotated[str | None, Query(max_length=210)] = None
) -> Response:
    """The element, and the level of the user who is logged in: the highest that one of the user's roles has."""

    def found(session: Session, who: Acting) -> dict[str, Any]:
        instance = None if resource_instance_id is None else instance_of(session, resource_instance_id)
        for level in ("LEVEL_1", "LEVEL_2", "LEVEL_3", "LEVEL_4", "HIDDEN"):
            ids = elements.roles_at(session, who.element, frozenset({level}))
            if holds_any(session, who.user, ids, who.tenant["id"], instance):
                break
        else:
            level = "UNCONFIGURED"
        return {"config": elements.read_element(session, who.element), "current_permission_level": level}

    return await scope.read(found)


def _own_address(request: Request) -> str:
    """Where this server was reached. What the caller says of it, in ``Host``, is not looked at."""
    host, port = request.scope["server"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@login.post("/elements_login_as")
async def log_in(scope: Scope, request: Request, body: LoginAs) -> Response:
    """A token that acts as one user in one tenant for an hour."""

    def done(session: Session) -> dict[str, str]:
        key = enter(session.connection, bearer(request), server_of(request)).key
        token = logins.log_in(session, body, key["id"])
        return {"redirect_url": f"{_own_address(request)}/elements", "token": token, "element_bearer_token": token}

    return await scope.write(done)

"""Elements, and the log-in of a user to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from permit_api.nouns import elements as nouns
from permit_api.nouns import logins
from permit_api.nouns.holding import holds_any
from permit_api.nouns.instances import instance_of
from permit_api.nouns.requests import Acting
from permit_api.routes.crud import Calls, verbs_of
from permit_api.routes.gate import AsUser, InPages, bearer, caller_of, listed
from permit_api.shapes.elements import ElementsConfigCreate, ElementsConfigUpdate, LoginAs
from permit_api.store.session import Session

elements = Calls("/config", "Elements")
ends = Calls("", "Elements")
inside = Calls("/config/{elements_config_id}", "Elements", AsUser)
login = Calls("/v2/auth", "Elements")
ROUTERS = (elements, ends, inside)
ELEMENT = "elements_config_id"


@elements.reads()
def list_elements(
    session: Session, /, pages: InPages, include_total_count: Annotated[bool, Query(include_in_schema=False)] = True
) -> Any:
    """The elements."""
    return listed(nouns.list_elements(session, pages), include_total_count)


verbs = verbs_of(nouns, "element", "create", "change")
verbs["get_element"] = lambda session, ident: nouns.read_element(session, nouns.element_of(session, ident))
elements.crud(verbs, "an element", ELEMENT, ElementsConfigCreate, ElementsConfigUpdate)
ends.crud(verbs_of(nouns, "element", "delete"), "an element", ELEMENT)


@inside.reads("/runtime")
def runtime(
    session: Session, who: Acting, /, resource_instance_id: Annotated[str | None, Query(max_length=210)] = None
) -> dict[str, Any]:
    """The element, and the level of the user who is logged in: the highest that one of the user's roles has."""
    instance = None if resource_instance_id is None else instance_of(session, resource_instance_id)
    for level in ("LEVEL_1", "LEVEL_2", "LEVEL_3", "LEVEL_4", "HIDDEN"):
        ids = nouns.roles_at(session, who.element, frozenset({level}))
        if holds_any(session, who.user, ids, who.tenant["id"], instance):
            break
    else:
        level = "UNCONFIGURED"
    return {"config": nouns.read_element(session, who.element), "current_permission_level": level}


def _own_address(request: Request) -> str:
    """Where this server was reached. What the caller says of it, in ``Host``, is not looked at."""
    host, port = request.scope["server"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@login.writes("POST", "/elements_login_as")
def log_in(session: Session, /, request: Request, body: LoginAs) -> dict[str, str]:
    """A token that acts as one user in one tenant for an hour."""
    token = logins.log_in(session, body, caller_of(session.opened, bearer(request)).key["id"])
    return {"redirect_url": f"{_own_address(request)}/elements", "token": token, "element_bearer_token": token}

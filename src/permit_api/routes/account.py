"""What there is around environments: projects, environments, API keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query

from permit_api.nouns import account as nouns
from permit_api.nouns import copying
from permit_api.nouns.account import Caller
from permit_api.routes.crud import Calls, verbs_of
from permit_api.routes.gate import Account, InPages, finish
from permit_api.shapes import account as shapes
from permit_api.shapes.parts import Body
from permit_api.store.session import some

keys = Calls("/v2/api-key", "API keys", Account)
environments = Calls("/v2/projects/{proj_id}/envs", "Environments", Account)
projects = Calls("/v2/projects", "Projects", Account)
ROUTERS = (keys, environments, projects)
GONE = ", with all that is in it"


def _as_json(body: Body) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_unset=True)


@keys.reads("/scope")
def scope(caller: Caller, /) -> dict[str, Any]:
    """Which organisation, project and environment the key reaches."""
    return some(**{name: caller.key[name] for name in ("organization_id", "project_id", "environment_id")})


@keys.reads()
def list_keys(
    caller: Caller,
    /,
    pages: InPages,
    object_type: Literal["org", "project", "env"] | None = None,
    proj_id: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """The keys that this key reaches, without their secrets."""
    return nouns.list_keys(caller, pages, object_type, proj_id).envelope()


@keys.writes("POST")
def create_key(caller: Caller, /, body: shapes.ApiKeyCreate) -> dict[str, Any]:
    """A new key; its secret is answered this once."""
    return nouns.create_key(caller, body)


@keys.reads("/{api_key_id}")
def get_key(caller: Caller, /, api_key_id: str) -> dict[str, Any]:
    """One key, without its secret."""
    return nouns.read_key(nouns.key_of(caller, api_key_id))


keys.crud(verbs_of(nouns, "key", "delete"), "a key", "api_key_id")


@keys.writes("POST", "/{api_key_id}/rotate-secret")
def rotate_key(caller: Caller, /, api_key_id: str) -> dict[str, Any]:
    """Another secret for a key, answered this once."""
    return nouns.rotate_key(caller, api_key_id)


@keys.writes("GET", "/{proj_id}/{env_id}")
def environment_key(caller: Caller, /, proj_id: str, env_id: str) -> dict[str, Any]:
    """A new key of an environment: secrets are not kept, so none that is there can be shown."""
    return nouns.environment_key(caller, proj_id, env_id)


@environments.reads()
def list_environments(caller: Caller, /, proj_id: str, pages: InPages) -> list[dict[str, Any]]:
    """The environments of a project that the key reaches."""
    return nouns.list_environments(caller, proj_id, pages)


@environments.reads("/{env_id}/stats")
def stats(caller: Caller, /, proj_id: str, env_id: str) -> dict[str, Any]:
    """How much is in an environment."""
    return copying.environment_stats(caller, proj_id, env_id)


@environments.writes("POST", "/{env_id}/copy", 201)
def copy_environment(caller: Caller, /, proj_id: str, env_id: str, body: shapes.EnvironmentCopy) -> dict[str, Any]:
    """Copy the schema into another environment, or a new one."""
    answer, session = copying.copy_environment(caller, proj_id, env_id, body)
    finish(session)
    return answer


verbs = verbs_of(nouns, "environment", "create", "delete")
verbs |= {
    "get_environment": lambda caller, *path: nouns.read_environment(
        nouns.find_environment(caller, *path), with_email=True
    ),
    "change_environment": lambda caller, project, ident, body: nouns.change_environment(
        caller, project, ident, _as_json(body)
    ),
}
environments.crud(verbs, "an environment", "env_id", shapes.EnvironmentCreate, shapes.EnvironmentUpdate, GONE)


@projects.reads()
def list_projects(caller: Caller, /, pages: InPages) -> list[dict[str, Any]]:
    """The projects that the key reaches."""
    return nouns.list_projects(caller, pages)


verbs = verbs_of(nouns, "project", "create", "delete")
verbs |= {
    "get_project": lambda caller, ident: nouns.read_project(nouns.project_of(caller, ident)),
    "change_project": lambda caller, ident, body: nouns.change_project(caller, ident, _as_json(body)),
}
projects.crud(verbs, "a project", "proj_id", shapes.ProjectCreate, shapes.ProjectUpdate, GONE)

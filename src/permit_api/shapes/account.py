"""Bodies about projects, environments and API keys."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from permit_api.shapes.parts import Body, JsonObject, Key, Name, Text


class EnvironmentCreate(Body):
    """A new environment of a project."""

    key: Key
    name: Name
    description: Text | None = None
    custom_branch_name: Name | None = None
    jwks: JsonObject | None = None
    settings: JsonObject | None = None


class EnvironmentUpdate(Body):
    """What changes of an environment."""

    name: Name | None = None
    description: Text | None = None
    custom_branch_name: Name | None = None
    jwks: JsonObject | None = None
    settings: JsonObject | None = None


class ProjectCreate(Body):
    """A new project, with the two environments that every project begins with unless others are named."""

    key: Key
    name: Name
    urn_namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,}$", max_length=100)] | None = None
    description: Text | None = None
    settings: JsonObject | None = None
    active_policy_repo_id: UUID | None = None
    initial_environments: list[EnvironmentCreate] | None = Field(
        default_factory=lambda: [
            EnvironmentCreate(key="dev", name="Development"),
            EnvironmentCreate(key="production", name="Production"),
        ]
    )


class ProjectUpdate(Body):
    """What changes of a project."""

    name: Name | None = None
    description: Text | None = None
    settings: JsonObject | None = None
    active_policy_repo_id: UUID | None = None


class ApiKeyCreate(Body):
    """A new API key: of an environment, of a project, or of the whole organisation."""

    organization_id: UUID
    project_id: UUID | None = None
    environment_id: UUID | None = None
    object_type: Literal["org", "project", "env"] = "env"
    access_level: Literal["admin", "write", "read", "no_access"] = "admin"
    owner_type: Literal["pdp_config", "member", "elements"] = "member"
    name: Name | None = None

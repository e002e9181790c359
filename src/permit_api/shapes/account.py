"""Bodies about projects, environments and API keys."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from permit_api.shapes.parts import Body, JsonObject, Key, Name, Text


class EnvironmentUpdate(Body):
    """What changes of an environment."""

    name: Name | None = None
    description: Text | None = None
    custom_branch_name: Name | None = None
    jwks: JsonObject | None = None
    settings: JsonObject | None = None


class EnvironmentCreate(EnvironmentUpdate):
    """A new environment of a project."""

    key: Key
    name: Name


class CopyFilters(Body):
    """Which of one kind, by key; ``*`` stands for anything, and nothing named includes all."""

    include: list[Name] = Field(default_factory=list, max_length=1000)
    exclude: list[Name] = Field(default_factory=list, max_length=1000)


class CopyScope(Body):
    """What is copied of an environment. There are no custom policies."""

    resources: CopyFilters = CopyFilters()
    roles: CopyFilters = CopyFilters()
    user_sets: CopyFilters = CopyFilters()
    resource_sets: CopyFilters = CopyFilters()
    custom_policies: CopyFilters = CopyFilters()


class CopyTarget(Body):
    """An environment that is there, or one to make."""

    existing: Name | None = None
    new: EnvironmentCreate | None = None


class EnvironmentCopy(Body):
    """Where to copy an environment."""

    target_env: CopyTarget
    conflict_strategy: Literal["fail", "overwrite"] = "fail"
    scope: CopyScope = CopyScope()


class ProjectUpdate(Body):
    """What changes of a project."""

    name: Name | None = None
    description: Text | None = None
    settings: JsonObject | None = None
    active_policy_repo_id: UUID | None = None


class ProjectCreate(ProjectUpdate):
    """A new project, with the two environments that every project begins with unless others are named."""

    key: Key
    name: Name
    urn_namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,}$", max_length=100)] | None = None
    initial_environments: list[EnvironmentCreate] | None = Field(
        default_factory=lambda: [
            EnvironmentCreate(key="dev", name="Development"),
            EnvironmentCreate(key="production", name="Production"),
        ]
    )


class ApiKeyCreate(Body):
    """A new API key: of an environment, of a project, or of the whole organisation."""

    organization_id: UUID
    project_id: UUID | None = None
    environment_id: UUID | None = None
    object_type: Literal["org", "project", "env"] = "env"
    access_level: Literal["admin", "write", "read", "no_access"] = "admin"
    owner_type: Literal["pdp_config", "member", "elements"] = "member"
    name: Name | None = None

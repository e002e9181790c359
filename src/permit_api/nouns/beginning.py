"""What a new database begins with, and keys for whoever runs the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select

from permit_api.nouns.account import add_environment, add_key, add_organization, add_project
from permit_api.shapes.account import EnvironmentCreate
from permit_api.store.session import Opened, Row
from permit_api.store.tables import environments, organizations

NAME = "default"
Level = Literal["environment", "organization"]
_OLDEST = select(environments).order_by(environments.c.created_at, environments.c.id).limit(1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was just made, and where it leads. The secret is kept nowhere."""

    secret: str
    organization_id: str
    project_id: str | None
    environment_id: str | None


def begin(opened: Opened) -> Issued | None:
    """On a new database: an organisation, a project, an environment, and its key. None when there is one already."""
    if opened.connection.execute(select(organizations.c.id)).first() is not None:
        return None
    organization = add_organization(opened, NAME)
    project = add_project(opened, organization, NAME, {"name": "Default Project"})
    add_environment(opened, project, EnvironmentCreate(key="dev", name="Development"))
    return issue(opened, "environment")


def oldest_environment(connection: Connection) -> tuple[str, str] | None:
    """Project and id of the environment that ``issue`` would make a key of; None when every one was taken away."""
    row = connection.execute(_OLDEST).mappings().one_or_none()
    return None if row is None else (str(row["project_id"]), str(row["id"]))


def issue(opened: Opened, level: Level) -> Issued:
    """A new admin key, of the oldest environment or of the whole organisation."""
    found: Row = opened.connection.execute(_OLDEST).mappings().one()
    project, environment = (found["project_id"], found["id"]) if level == "environment" else (None, None)
    if environment is not None:
        opened.about[environment] = None
    words: dict[str, Any] = {"access_level": "admin", "owner_type": "member", "name": "permit-mcp local"}
    _, secret = add_key(opened, found["organization_id"], project, environment, **words)
    return Issued(secret, found["organization_id"], project, environment)

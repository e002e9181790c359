"""Organisation, projects, environments and API keys: what there is before there is an environment to be in."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, or_, select, update

from permit_api.faults import Unprocessable, forbidden, not_found
from permit_api.nouns.tenants import DEFAULT_TENANT
from permit_api.shapes.account import ApiKeyCreate, EnvironmentCreate, ProjectCreate
from permit_api.store.keys import digest_of, handle_of, new_secret
from permit_api.store.session import Listed, Opened, Paging, Row, as_uuid, in_order_of, some
from permit_api.store.tables import api_keys, environments, logins, organizations, projects, resources, tenants

BUILT_IN = ("__user", "__tenant")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever presented an API key: what it reaches, and whether it may write.

    Args:
        opened: the transaction of the call.
        key: the row of the key.
    """

    opened: Opened
    key: Row

    @property
    def connection(self) -> Connection:
        """That of the transaction."""
        return self.opened.connection

    @property
    def now(self) -> datetime:
        """The time of the call, in UTC."""
        return self.opened.now

    @property
    def organization_id(self) -> str:
        """The organisation of the key."""
        return str(self.key["organization_id"])


def find_key(connection: Connection, secret: str) -> Row | None:
    """The key that a secret is of.

    It is found by its handle, and the digest of the whole is compared in constant time.
    """
    row = connection.execute(select(api_keys).where(api_keys.c.handle == handle_of(secret))).mappings().one_or_none()
    if (
        row is None
        or not hmac.compare_digest(str(row["digest"]), digest_of(secret))
        or row["access_level"] == "no_access"
    ):
        return None
    return row


def find_environment(caller: Caller, project: str, environment: str) -> Row:
    """The environment of a path, by ids or keys.

    Raises:
        ApiFault: 403, the key does not reach it, whether or not it is there; 404, it is not there.
    """
    joined = environments.join(projects, projects.c.id == environments.c.project_id)
    where = [_named(projects, project), _named(environments, environment)]
    row = _one(caller, select(environments).select_from(joined), environments, *where)
    key = caller.key
    if key["environment_id"] is not None and (row is None or row["id"] != key["environment_id"]):
        raise forbidden("this API key is of another environment")
    if row is None and key["project_id"] is not None:
        raise forbidden("this API key reaches no such environment")
    if row is None:
        raise not_found("Environment", environment)
    if key["project_id"] not in {None, row["project_id"]}:
        raise forbidden("this API key reaches no such environment")
    caller.opened.about[row["id"]] = None
    return row


def project_of(caller: Caller, ident: str) -> Row:
    """A project that the key reaches.

    Raises:
        ApiFault: 403, it does not; 404, it is not there.
    """
    row = _one(caller, select(projects), projects, _named(projects, ident))
    if caller.key["project_id"] is not None and (row is None or row["id"] != caller.key["project_id"]):
        raise forbidden("this API key reaches no such project")
    if row is None:
        raise not_found("Project", ident)
    return row


def read_project(row: Row) -> dict[str, Any]:
    """A project as it is answered."""
    return {**row["body"], **_common(row), "organization_id": row["organization_id"]}


def list_projects(caller: Caller, paging: Paging) -> list[dict[str, Any]]:
    """The projects that the key reaches."""
    mine = [projects.c.organization_id == caller.organization_id]
    if caller.key["project_id"] is not None:
        mine.append(projects.c.id == caller.key["project_id"])
    return [read_project(row) for row in _page(caller, projects, mine, paging)]


def create_project(caller: Caller, body: ProjectCreate) -> dict[str, Any]:
    """A new project with its first environments. Needs a key of the organisation.

    Raises:
        ApiFault: 403, the key is not one; 409, there is a project with this key.
    """
    if caller.key["project_id"] is not None:
        raise forbidden("only a key of the organisation makes projects")
    words = body.model_dump(mode="json", exclude_none=True, exclude={"key", "initial_environments"})
    row = add_project(caller.opened, caller.organization_id, body.key, words)
    for each in body.initial_environments or []:
        add_environment(caller.opened, row, each)
    return read_project(row)


def change_project(caller: Caller, ident: str, given: dict[str, Any]) -> dict[str, Any]:
    """Change what is given."""
    row = project_of(caller, ident)
    needs_wider_key(caller, "project")
    return read_project(_update(caller, projects, row, given))


def delete_project(caller: Caller, ident: str) -> None:
    """Take a project away, with all its environments and keys."""
    row = project_of(caller, ident)
    needs_wider_key(caller, "project")
    within = select(environments.c.id).where(environments.c.project_id == row["id"])
    for environment in caller.connection.execute(within).scalars().all():
        caller.opened.forget(environment)
    caller.connection.execute(delete(projects).where(projects.c.id == row["id"]))


def read_environment(row: Row, *, with_email: bool = False) -> dict[str, Any]:
    """An environment as it is answered. There is no e-mail configuration; its id is made from the environment's."""
    ids = {"organization_id": row["organization_id"], "project_id": row["project_id"]}
    email = str(uuid.uuid5(uuid.UUID(row["id"]), "email_configuration"))
    return {**row["body"], **_common(row), **ids, **({"email_configuration": email} if with_email else {})}


def list_environments(caller: Caller, project: str, paging: Paging) -> list[dict[str, Any]]:
    """The environments of a project that the key reaches."""
    mine = [environments.c.project_id == project_of(caller, project)["id"]]
    if caller.key["environment_id"] is not None:
        mine.append(environments.c.id == caller.key["environment_id"])
    return [read_environment(row, with_email=True) for row in _page(caller, environments, mine, paging)]


def create_environment(caller: Caller, project: str, body: EnvironmentCreate) -> dict[str, Any]:
    """A new environment. Needs a key of the project or of the organisation."""
    row = project_of(caller, project)
    needs_wider_key(caller, "environment")
    return read_environment(add_environment(caller.opened, row, body))


def change_environment(caller: Caller, project: str, ident: str, given: dict[str, Any]) -> dict[str, Any]:
    """Change what is given."""
    row = find_environment(caller, project, ident)
    return read_environment(_update(caller, environments, row, given))


def delete_environment(caller: Caller, project: str, ident: str) -> None:
    """Take an environment away, with all that is in it and its keys."""
    row = find_environment(caller, project, ident)
    needs_wider_key(caller, "environment")
    caller.opened.forget(row["id"])
    caller.connection.execute(delete(environments).where(environments.c.id == row["id"]))


def read_key(row: Row, secret: str | None = None) -> dict[str, Any]:
    """A key as it is answered; the secret only when it is new."""
    ids = {name: row[name] for name in ("organization_id", "project_id", "environment_id")}
    return {
        "id": row["id"],
        **some(**ids, name=row["name"], secret=secret),
        "object_type": "env" if row["environment_id"] else "project" if row["project_id"] else "org",
        "access_level": row["access_level"],
        "owner_type": row["owner_type"],
        "created_at": row["created_at"].isoformat(),
    }


def list_keys(caller: Caller, paging: Paging, kind: str | None, project: str | None) -> Listed:
    """The keys that this key reaches, without their secrets."""
    mine = _within(caller)
    if kind is not None:
        mine.append({"env": api_keys.c.environment_id.is_not(None)}.get(kind, api_keys.c.environment_id.is_(None)))
        mine.append({"org": api_keys.c.project_id.is_(None)}.get(kind, api_keys.c.project_id.is_not(None)))
    if project is not None:
        mine.append(api_keys.c.project_id == project_of(caller, project)["id"])
    total = caller.connection.execute(select(func.count()).select_from(api_keys).where(*mine)).scalar_one()
    return Listed([read_key(row) for row in _page(caller, api_keys, mine, paging)], total, paging.per_page)


def key_of(caller: Caller, key_id: str) -> Row:
    """A key that this key reaches.

    Raises:
        ApiFault: 404, there is none.
    """
    found = select(api_keys).where(api_keys.c.id == as_uuid(key_id), *_within(caller))
    row = caller.connection.execute(found).mappings().one_or_none()
    if row is None:
        raise not_found("APIKey", key_id)
    if row["environment_id"] is not None:
        caller.opened.about[row["environment_id"]] = None
    return row


def create_key(caller: Caller, body: ApiKeyCreate) -> dict[str, Any]:
    """A new key, within what this key reaches; its secret is answered this once.

    Raises:
        ApiFault: 403, it would reach further; 404, project or environment are not there.
        Unprocessable: level, project and environment do not fit together.
    """
    level = {"org": 0, "project": 1, "env": 2}[body.object_type]
    if level != (body.project_id is not None) + (body.environment_id is not None):
        raise Unprocessable(("object_type",), "env takes project_id and environment_id, project the first, org none")
    if str(body.organization_id) != caller.organization_id:
        raise forbidden("this API key is of another organisation")
    project, environment = (None if each is None else str(each) for each in (body.project_id, body.environment_id))
    if project and environment:
        find_environment(caller, project, environment)
    elif project:
        project_of(caller, project)
        needs_wider_key(caller, "project")
    elif caller.key["project_id"] is not None:
        raise forbidden("only a key of the organisation makes such keys")
    _needs_admin(caller)
    words: dict[str, Any] = {"access_level": body.access_level, "owner_type": body.owner_type, "name": body.name}
    ids = (caller.organization_id, project, environment)
    row, secret = add_key(caller.opened, *ids, minted_by=caller.key["id"], **words)
    return read_key(row, secret)


def delete_key(caller: Caller, key_id: str) -> None:
    """Take a key away: it opens nothing from then on, nor do the keys that were made with it."""
    row = key_of(caller, key_id)
    _needs_admin(caller)
    gone = select(api_keys.c.id).where(api_keys.c.id == row["id"]).cte(recursive=True)
    gone = gone.union(select(api_keys.c.id).join(gone, api_keys.c.minted_by == gone.c.id))
    ids = list(caller.connection.execute(select(gone.c.id)).scalars())
    ended = caller.connection.execute(select(logins.c.id).where(logins.c.key_id.in_(ids))).all()
    caller.connection.execute(delete(api_keys).where(api_keys.c.id.in_(ids)))
    caller.opened.removed.update({"api_keys": len(ids), "logins": len(ended)})


def rotate_key(caller: Caller, key_id: str) -> dict[str, Any]:
    """Give a key another secret, answered this once; the old one, and log-ins made by it, open nothing from then on."""
    row = key_of(caller, key_id)
    _needs_admin(caller)
    secret, handle, digest = new_secret()
    changed = {"handle": handle, "digest": digest, "updated_at": caller.now}
    caller.connection.execute(update(api_keys).where(api_keys.c.id == row["id"]).values(**changed))
    ended = caller.connection.execute(delete(logins).where(logins.c.key_id == row["id"])).rowcount
    caller.opened.removed["logins"] += ended
    return read_key({**row, **changed}, secret)


def environment_key(caller: Caller, project: str, environment: str) -> dict[str, Any]:
    """A key of an environment. Secrets are not kept, so it is a new one, shown this once.

    Raises:
        ApiFault: 403, the key that asks is no admin; 403 or 404 as of :func:`find_environment`.
    """
    row = find_environment(caller, project, environment)
    _needs_admin(caller)
    ids = (caller.organization_id, row["project_id"], row["id"])
    words: dict[str, Any] = {"access_level": caller.key["access_level"], "owner_type": "pdp_config", "name": None}
    key, secret = add_key(caller.opened, *ids, minted_by=caller.key["id"], **words)
    return read_key(key, secret)


def add_organization(opened: Opened, key: str) -> str:
    """A new organisation; its id."""
    return str(opened.insert(organizations, "organization", key=key)["id"])


def add_project(opened: Opened, organization_id: str, key: str, body: dict[str, Any]) -> Row:
    """A new project without environments."""
    return opened.insert(projects, "project", organization_id=organization_id, key=key, body=body)


def add_environment(opened: Opened, project: Row, body: EnvironmentCreate) -> Row:
    """A new environment with what every environment begins with: the default tenant, the types of users and tenants."""
    row = opened.insert(
        environments,
        "environment",
        organization_id=project["organization_id"],
        project_id=project["id"],
        key=body.key,
        body=body.model_dump(mode="json", exclude_none=True, exclude={"key"}),
        schema_version=1,
    )
    opened.about[row["id"]] = None
    within = {"environment_id": row["id"]}
    named = {"key": DEFAULT_TENANT, "name": "Default Tenant", "description": None}
    opened.insert(tenants, "tenant", **within, **named, attributes=None, last_action_at=opened.now)
    for key in BUILT_IN:
        opened.insert(resources, "resource", **within, key=key, body={"name": key}, built_in=True)
    opened.tell()
    return row


def add_key(
    opened: Opened,
    organization_id: str,
    project: str | None,
    environment: str | None,
    *,
    minted_by: str | None = None,
    **words: Any,
) -> tuple[Row, str]:
    """A new key, and its secret, which is kept nowhere. It ends with the key that it was made with, if with one."""
    secret, handle, digest = new_secret()
    ids = {"organization_id": organization_id, "project_id": project, "environment_id": environment}
    return opened.insert(api_keys, "API key", **ids, **words, minted_by=minted_by, handle=handle, digest=digest), secret


def _named(table: Table, ident: str) -> ColumnElement[bool]:
    known = as_uuid(ident)
    return or_(table.c.id == known, table.c.key == ident) if known else table.c.key == ident


def _one(caller: Caller, statement: Any, table: Table, *where: ColumnElement[bool]) -> Row | None:
    mine = table.c.organization_id == caller.organization_id
    found: Sequence[Row] = caller.connection.execute(statement.where(mine, *where)).mappings().all()
    return found[0] if found else None


def _page(caller: Caller, table: Table, where: list[ColumnElement[bool]], paging: Paging) -> Sequence[Row]:
    statement = select(table).where(*where).order_by(*in_order_of(table))
    offset = (paging.page - 1) * paging.per_page
    return caller.connection.execute(statement.limit(paging.per_page).offset(offset)).mappings().all()


def _within(caller: Caller) -> list[ColumnElement[bool]]:
    """What a key reaches, as a condition on keys."""
    names = ("organization_id", "project_id", "environment_id")
    return [api_keys.c[name] == caller.key[name] for name in names if caller.key[name] is not None]


def needs_wider_key(caller: Caller, what: str) -> None:
    """Projects and environments are changed by keys that are not of one environment.

    Raises:
        ApiFault: 403, the key is of one.
    """
    if caller.key["environment_id"] is not None:
        raise forbidden(f"a key of one environment cannot change its {what}")


def _needs_admin(caller: Caller) -> None:
    """A key that only writes would make itself an admin with another one's secret."""
    if caller.key["access_level"] != "admin":
        raise forbidden("only an admin key makes, changes or takes away keys")


def _update(caller: Caller, table: Table, row: Row, given: dict[str, Any]) -> Row:
    body = {name: value for name, value in {**row["body"], **given}.items() if value is not None}
    body["name"] = body.get("name") or row["body"]["name"]
    changed = {"body": body, "updated_at": caller.now}
    caller.connection.execute(update(table).where(table.c.id == row["id"]).values(**changed))
    return {**row, **changed}


def _common(row: Row) -> dict[str, Any]:
    times = {name: row[name].isoformat() for name in ("created_at", "updated_at")}
    return {"id": row["id"], "key": row["key"], **times}

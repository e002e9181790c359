"""A company in a Permit-compatible server, put there as anybody would: by its HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from benchmarks.company import TENANT, Company
from benchmarks.running_server import serving
from permit_api.nouns.beginning import begin
from permit_api.store.opening import open_store
from permit_api.store.session import Opened
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.entries import RoleAssignment

T = TypeVar("T")

AT_ONCE = 1000
"""Facts in one call."""


@dataclass(frozen=True)
class PermitServer:
    """A running server, and the key of the environment that the company is in."""

    url: str
    key: str


@asynccontextmanager
async def permit_server(company: Company, folder: Path) -> AsyncIterator[PermitServer]:
    """A server in a process of its own, with the company in it, for the time of the context.

    Raises:
        RuntimeError: it does not start.
        httpx.HTTPError: it does not take the company.
    """
    url = f"sqlite+aiosqlite:///{folder / f'permit-{len(company.users)}.db'}"
    database = Database.open(url)
    try:
        await open_store(database)
        issued = await database.write(lambda connection: begin(Opened(connection, utc_now())))
    finally:
        await database.close()
    if issued is None:
        raise RuntimeError("the database is not new")
    settings = {"ENV_FILE": "", "LOCAL_DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
    async with serving("benchmarks.permit_server", environment=settings) as (port, _):
        server = PermitServer(f"http://127.0.0.1:{port}", issued.secret)
        headers = {"Authorization": f"Bearer {server.key}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=120) as client:
            for method, path, body in _calls(company):
                noun, _, rest = path.partition("/")
                address = f"/v2/{noun}/{issued.project_id}/{issued.environment_id}/{rest}"
                (await client.request(method, address, json=body)).raise_for_status()
        yield server


def _calls(company: Company) -> Iterator[tuple[str, str, Any]]:
    """Method, path without project and environment, and body, in the order in which they can be made."""
    model = company.model
    for key, kind in model.resources.items():
        document = kind.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        roles = {role: {"name": role, **body} for role, body in document.get("roles", {}).items()}
        actions: dict[str, Any] = {action: {} for action in kind.actions}
        relations = document.get("relations", {})
        body = {"key": key, "name": key, "actions": actions, "relations": relations, "roles": roles}
        yield "POST", "schema/resources", body
    for key, role in model.roles.items():
        yield "POST", "schema/roles", {"key": key, "name": key, "permissions": list(role.permissions)}
    yield "POST", "facts/tenants", {"key": TENANT, "name": TENANT}
    for users in _some(company.users):
        yield "POST", "facts/bulk/users", {"operations": [{"key": user.key} for user in users]}
    for instances in _some(company.instances):
        operations = [{"key": each.ref.key, "resource": each.ref.type, "tenant": each.tenant} for each in instances]
        yield "PUT", "facts/bulk/resource_instances", {"operations": operations}
    for links in _some(company.tuples):
        named = [
            {"subject": str(link.subject), "relation": link.relation, "object": str(link.object)} for link in links
        ]
        yield "POST", "facts/relationship_tuples/bulk", {"operations": named}
    for assignments in _some(company.assignments):
        yield "POST", "facts/role_assignments/bulk", [_assigned(each) for each in assignments]


def _assigned(given: RoleAssignment) -> dict[str, str]:
    body = {"user": given.user, "role": given.role, "tenant": given.tenant}
    return body if given.resource is None else {**body, "resource_instance": str(given.resource)}


def _some(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), AT_ONCE):
        yield items[first : first + AT_ONCE]

"""Projects."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import account
from permit_api.routes.gate import ForAccount, InPages
from permit_api.shapes.account import ProjectCreate, ProjectUpdate

router = APIRouter(prefix="/v2/projects", tags=["Projects"])


@router.get("")
async def list_projects(gate: ForAccount, pages: InPages) -> Response:
    """The projects that the key reaches."""
    return await gate.read(lambda caller: account.list_projects(caller, pages))


@router.post("")
async def create_project(gate: ForAccount, body: ProjectCreate) -> Response:
    """A new project, with its first environments."""
    return await gate.write(lambda caller: account.create_project(caller, body))


@router.get("/{proj_id}")
async def get_project(gate: ForAccount, proj_id: str) -> Response:
    """One project."""
    return await gate.read(lambda caller: account.read_project(account.project_of(caller, proj_id)))


@router.patch("/{proj_id}")
async def change_project(gate: ForAccount, proj_id: str, body: ProjectUpdate) -> Response:
    """Change what is given."""
    given = body.model_dump(mode="json", exclude_unset=True)
    return await gate.write(lambda caller: account.change_project(caller, proj_id, given))


@router.delete("/{proj_id}", status_code=204)
async def delete_project(gate: ForAccount, proj_id: str) -> Response:
    """Take a project away, with all that is in it."""
    return await gate.write(lambda caller: account.delete_project(caller, proj_id), 204)

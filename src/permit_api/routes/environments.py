"""Environments."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import account, copying
from permit_api.nouns.account import Caller
from permit_api.routes.gate import ForAccount, InPages, finish
from permit_api.shapes.account import EnvironmentCopy, EnvironmentCreate, EnvironmentUpdate

router = APIRouter(prefix="/v2/projects/{proj_id}/envs", tags=["Environments"])


@router.get("")
async def list_environments(gate: ForAccount, proj_id: str, pages: InPages) -> Response:
    """The environments of a project that the key reaches."""
    return await gate.read(lambda caller: account.list_environments(caller, proj_id, pages))


@router.post("")
async def create_environment(gate: ForAccount, proj_id: str, body: EnvironmentCreate) -> Response:
    """A new environment."""
    return await gate.write(lambda caller: account.create_environment(caller, proj_id, body))


@router.get("/{env_id}/stats")
async def stats(gate: ForAccount, proj_id: str, env_id: str) -> Response:
    """How much is in an environment."""
    return await gate.read(lambda caller: copying.environment_stats(caller, proj_id, env_id))


@router.post("/{env_id}/copy", status_code=201)
async def copy_environment(gate: ForAccount, proj_id: str, env_id: str, body: EnvironmentCopy) -> Response:
    """Copy the schema into another environment, or a new one."""

    def copied(caller: Caller) -> dict[str, Any]:
        answer, session = copying.copy_environment(caller, proj_id, env_id, body)
        finish(session)
        return answer

    return await gate.write(copied, 201)


@router.get("/{env_id}")
async def get_environment(gate: ForAccount, proj_id: str, env_id: str) -> Response:
    """One environment."""
    return await gate.read(
        lambda caller: account.read_environment(account.find_environment(caller, proj_id, env_id), with_email=True)
    )


@router.patch("/{env_id}")
async def change_environment(gate: ForAccount, proj_id: str, env_id: str, body: EnvironmentUpdate) -> Response:
    """Change what is given."""
    given = body.model_dump(mode="json", exclude_unset=True)
    return await gate.write(lambda caller: account.change_environment(caller, proj_id, env_id, given))


@router.delete("/{env_id}", status_code=204)
async def delete_environment(gate: ForAccount, proj_id: str, env_id: str) -> Response:
    """Take an environment away, with all that is in it."""
    return await gate.write(lambda caller: account.delete_environment(caller, proj_id, env_id), 204)

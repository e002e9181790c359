"""API keys and what they reach."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from permit_api.nouns import account
from permit_api.routes.gate import ForAccount, InPages
from permit_api.shapes.account import ApiKeyCreate
from permit_api.store.session import some

router = APIRouter(prefix="/v2/api-key", tags=["API keys"])


@router.get("/scope")
async def scope(gate: ForAccount) -> Response:
    """Which organisation, project and environment the key reaches."""
    names = ("organization_id", "project_id", "environment_id")
    return await gate.read(lambda caller: some(**{name: caller.key[name] for name in names}))


@router.get("")
async def list_keys(
    gate: ForAccount,
    pages: InPages,
    object_type: Literal["org", "project", "env"] | None = None,
    proj_id: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """The keys that this key reaches, without their secrets."""
    return await gate.read(lambda caller: account.list_keys(caller, pages, object_type, proj_id).envelope())


@router.post("")
async def create_key(gate: ForAccount, body: ApiKeyCreate) -> Response:
    """A new key; its secret is answered this once."""
    return await gate.write(lambda caller: account.create_key(caller, body))


@router.get("/{api_key_id}")
async def get_key(gate: ForAccount, api_key_id: str) -> Response:
    """One key, without its secret."""
    return await gate.read(lambda caller: account.read_key(account.key_of(caller, api_key_id)))


@router.delete("/{api_key_id}", status_code=204)
async def delete_key(gate: ForAccount, api_key_id: str) -> Response:
    """Take a key away."""
    return await gate.write(lambda caller: account.delete_key(caller, api_key_id), 204)


@router.post("/{api_key_id}/rotate-secret")
async def rotate_key(gate: ForAccount, api_key_id: str) -> Response:
    """Another secret for a key, answered this once."""
    return await gate.write(lambda caller: account.rotate_key(caller, api_key_id))


@router.get("/{proj_id}/{env_id}")
async def environment_key(gate: ForAccount, proj_id: str, env_id: str) -> Response:
    """A new key of an environment: secrets are not kept, so none that is there can be shown."""
    return await gate.write(lambda caller: account.environment_key(caller, proj_id, env_id))

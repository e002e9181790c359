"""Whether the server is up."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from permit_api.routes.gate import server_of
from permit_core.errors import StoreError

router = APIRouter(tags=["Health"])


@router.get("/health", responses={503: {"description": "The database is not there."}})
@router.get("/healthy", responses={503: {"description": "The database is not there."}})
@router.get("/ready", responses={503: {"description": "The database is not there."}})
async def health(request: Request) -> Response:
    """``ok`` while the database can be read and written."""
    try:
        await server_of(request).database.check()
    except StoreError:
        return _said("error", 503)
    return _said("ok", 200)


def _said(status: str, code: int) -> Response:
    components = {name: {"status": status} for name in ("horizon", "opa")}
    return JSONResponse({"status": status, "components": components}, code)

"""Whether the server is up."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from sqlalchemy import select
from starlette.responses import JSONResponse, Response

from permit_api.routes.gate import server_of
from permit_core.errors import StoreError

router = APIRouter(tags=["Health"])
logger = logging.getLogger(__name__)


@router.get("/health", responses={503: {"description": "The database is not there."}})
@router.get("/healthy", responses={503: {"description": "The database is not there."}})
@router.get("/ready", responses={503: {"description": "The database is not there."}})
async def health(request: Request) -> Response:
    """``ok`` while the database answers."""
    try:
        await server_of(request).database.read(lambda connection: connection.execute(select(1)).scalar_one())
    except StoreError:
        logger.exception("the database does not answer")
        return _said("error", 503)
    return _said("ok", 200)


def _said(status: str, code: int) -> Response:
    components = {name: {"status": status} for name in ("horizon", "opa")}
    return JSONResponse({"status": status, "components": components}, code)

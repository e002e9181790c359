"""The Permit-compatible server as it is served, and beside it an endpoint that decides nothing.

``python -m benchmarks.permit_server PORT``; the database is that of the settings.
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from permit_api.app import create_app
from permit_api.settings import LocalSettings
from permit_core.database import Database


async def serve(port: int) -> None:
    """Serve until a signal ends it."""
    database = Database.open(LocalSettings.load().resolved_local_database_url)
    app = create_app(database)

    async def nothing(request: Request) -> Response:
        await request.body()
        return JSONResponse({"allow": True})

    async def ready(_request: Request) -> Response:
        return Response()

    # In front, so that no other address is looked at first.
    app.router.routes[:0] = [Route("/empty/allowed", nothing, methods=["POST"]), Route("/readyz", ready)]
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, server_header=False, lifespan="off")
    try:
        await uvicorn.Server(config).serve()
    finally:
        await app.close()
        await database.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(serve(int(sys.argv[1])))

"""``permit-mcp local``: the server in this process, until it is told to end."""

from __future__ import annotations

import asyncio
import socket

import typer
import uvicorn
from sqlalchemy import Connection

from permit_api.app import create_app
from permit_api.nouns.beginning import Issued, Level, begin, issue, oldest_environment
from permit_api.routes.gate import record
from permit_api.settings import LocalSettings
from permit_api.store.opening import open_store
from permit_api.store.session import Opened
from permit_core.audit.log import AuditLog
from permit_core.bootstrap import open_log
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.errors import ConfigurationError
from permit_core.identity import system_actor


def run(host: str, port: int, new_key: Level | None) -> None:
    """Serve until a signal ends it.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        new_key: make one more key of this level.

    Raises:
        ConfigurationError: the address is taken, or a setting is wrong.
        StoreError: the database cannot be used.
    """
    settings = LocalSettings.load()
    listening = _listen(host, port)
    with listening:
        config = uvicorn.Config("", log_level=settings.log_level.lower(), access_log=False, server_header=False)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(settings, listening, new_key))


async def _serve(settings: LocalSettings, listening: socket.socket, new_key: Level | None) -> None:
    database = Database.open(settings.resolved_local_database_url)
    try:
        await open_store(database)
        audit = open_log(settings, database)
        try:
            host, port = listening.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            for line in await _begin(database, audit, url, new_key):
                typer.echo(line)
            app = create_app(database, audit=audit)
            config = uvicorn.Config(
                app, log_level=settings.log_level.lower(), access_log=False, server_header=False, lifespan="off"
            )
            try:
                await uvicorn.Server(config).serve(sockets=[listening])
            finally:
                await app.close()
        finally:
            await audit.close()
    finally:
        await database.close()


async def _begin(database: Database, audit: AuditLog, url: str, new_key: Level | None) -> list[str]:
    """Make what a new database begins with, and the key that is asked for; what is printed before the server is ready."""

    def started(connection: Connection) -> list[Issued]:
        opened = Opened(connection, utc_now())
        first = begin(opened)
        more = None
        if new_key is not None and not (first is not None and new_key == "environment"):
            more = issue(opened, new_key)
        made = [each for each in (first, more) if each is not None]
        if made:
            chains = (made[0].organization_id, *opened.about)
            record(audit, opened, [system_actor(chain) for chain in chains], "api.server.started")
        return made

    keys = await database.write(started)
    there = None if keys else await database.read(oldest_environment)
    return _welcome(url, database.location, keys, there)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: what is printed as the address is reachable from then on."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _welcome(url: str, location: str, keys: list[Issued], there: tuple[str, str] | None = None) -> list[str]:
    """What is printed before the server is ready; ``there`` are project and environment when no key was made."""
    lines = [f"Permit-compatible API and decision point: {url}", f"Database: {location}"]
    for key in keys:
        of = "the organisation" if key.environment_id is None else "an environment"
        lines += ["", f"A new API key of {of}, shown this once:", f"export PERMIT_API_KEY={key.secret}"]
        if key.environment_id is not None:
            lines += [f"export PROJECT_ID={key.project_id}", f"export ENV_ID={key.environment_id}"]
    if there is not None:
        lines += ["", "Its API keys were shown when they were made; --new-key environment makes another one."]
        lines += [f"export PROJECT_ID={there[0]}", f"export ENV_ID={there[1]}"]
    if keys or there is not None:
        lines += [f"export PERMIT_API_URL={url}", f"export PERMIT_PDP_URL={url}", ""]
    return [*lines, "Ready. Ctrl-C ends it."]

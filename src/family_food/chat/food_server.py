"""The food server of one user: how it is started, as a program of its own or from the fork server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from mcp import StdioServerParameters
from pydantic import SecretStr

from family_food.settings import CHECKOUT, ChatSettings
from permit_core.errors import ConfigurationError
from permit_core.settings import Settings
from prefork.fork_server import ForkServer, can_fork
from prefork.tool_start import ToolStart, spawned


def food_server(settings: ChatSettings, user: str) -> StdioServerParameters:
    """How the food server is started for one user. Its environment holds what is named here and nothing else."""
    return _program(settings, "--acting-user", user)


def food_fork_server(settings: ChatSettings) -> StdioServerParameters:
    """How the parent of forked food servers is started, with the same environment as those."""
    return _program(settings, "--fork-server")


def _program(settings: ChatSettings, *arguments: str) -> StdioServerParameters:
    environment = {
        **_core(settings),
        "ACCOUNTS_FILE": settings.accounts_file,
        "ENV_FILE": "",  # or it would find there what is not named here: the keys of models
        "PYTHONUNBUFFERED": "1",
    }
    return StdioServerParameters(
        command=sys.executable,
        args=[str(CHECKOUT / "food_ordering_mcp.py"), *arguments],
        env=environment,
        cwd=CHECKOUT,
    )


def _core(settings: ChatSettings) -> dict[str, str]:
    """All that the core is told here, as environment variables: both must store, decide and sign alike."""
    own = {"database_url": settings.resolved_database_url, "state_dir": str(settings.state_folder), "db_name": ""}
    told = {name: own.get(name, getattr(settings, name)) for name in Settings.model_fields}
    texts = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value) for name, value in told.items()
    }
    return {name.upper(): text for name, text in texts.items() if text}


@asynccontextmanager
async def food_tools(
    settings: ChatSettings, tool_server: Callable[[str], StdioServerParameters] | None = None
) -> AsyncIterator[Callable[[str], ToolStart]]:
    """How the tools of a user, named by directory key, are started.

    Args:
        settings: what the food server is told, and whether it may be forked.
        tool_server: instead of the food server; spawned as a program of its own.

    Raises:
        ConfigurationError: ``MCP_SPAWN`` asks for what this system cannot do.
    """
    server = tool_server or partial(food_server, settings)

    def plain(user: str) -> ToolStart:
        return partial(spawned, server(user))

    if tool_server is not None or not _forks(settings):
        yield plain
        return
    async with ForkServer(food_fork_server(settings), plain) as fork_server:
        yield fork_server.start


def _forks(settings: ChatSettings) -> bool:
    if settings.mcp_spawn == "exec":
        return False
    able = can_fork()
    if settings.mcp_spawn == "fork" and not able:
        raise ConfigurationError("MCP_SPAWN is fork, which this system cannot do; set it to auto or exec")
    return able

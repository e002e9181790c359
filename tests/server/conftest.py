"""A seeded database to copy, and servers over copies of it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters

from family_food.models.port import Model
from family_food.settings import ChatSettings
from server import create_app
from tests.support.chat_server import ChatServer, serving
from tests.support.core import family_settings
from utils import init_db

StartServer = Callable[..., Awaitable[ChatServer]]


@pytest.fixture(scope="session")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the family in it; its passwords took a while to hash."""
    folder = tmp_path_factory.mktemp("seeded")
    await init_db(family_settings(folder))
    return folder / "family.db"


@pytest.fixture
def settings(seeded: Path, tmp_path: Path) -> ChatSettings:
    """ChatSettings of a server with a database of its own."""
    shutil.copy(seeded, tmp_path / "family.db")
    return family_settings(tmp_path, db_name=str(tmp_path / "family.db"), model="demo")


@pytest.fixture
async def start(settings: ChatSettings) -> AsyncIterator[StartServer]:
    """Starts servers that end with the test; settings can be changed by name."""
    async with AsyncExitStack() as stack:

        async def start_one(
            model: Model | None = None,
            tool_server: Callable[[str], StdioServerParameters] | None = None,
            **changes: Any,
        ) -> ChatServer:
            chosen = settings.model_copy(update=changes)
            app = create_app(lambda: chosen, model=model, tool_server=tool_server)
            return await stack.enter_async_context(serving(app))

        yield start_one


@pytest.fixture
async def server(start: StartServer) -> ChatServer:
    """The backend as it is shipped, with the demo model and the real food server."""
    return await start()

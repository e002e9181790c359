"""A warm-up before any child is forked: a whole session on a throw-away database, and what makes that database."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from permit_core.database import Database
from permit_core.errors import ConfigurationError


@asynccontextmanager
async def another_database(database: Database, file: Path) -> AsyncIterator[Database]:
    """Another database in place of one that is not connected yet.

    When ``database`` is SQLite, the two share an engine, which is aimed at the other file meanwhile: what SQLAlchemy
    learns about statements stays with it. Nothing is open in the end.

    Args:
        database: not to be used meanwhile.
        file: the other one's, SQLite.
    """

    def aim(_dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
        arguments[0] = str(file)

    other = Database(database.engine, str(file)) if database.is_sqlite else Database.open(f"sqlite+aiosqlite:///{file}")
    engine = other.engine
    event.listen(engine, "do_connect", aim, insert=True)
    try:
        yield other
    finally:
        event.remove(engine, "do_connect", aim)
        await other.close()


def in_a_fork(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``work`` in a forked process of its own, so that nothing of what it imports stays here.

    Raises:
        ConfigurationError: it failed; it has said why.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asyncio.run(work())
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may get back to the parent's frames
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        _, status = os.waitpid(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    if status != 0:
        raise ConfigurationError("the throw-away database for the fork server's warm-up could not be made")

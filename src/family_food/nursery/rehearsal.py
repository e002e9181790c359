"""A throw-away database behind a real one's engine, to warm up on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

from permit_core.database import Database


@asynccontextmanager
async def rehearsal_database(database: Database) -> AsyncIterator[Database]:
    """A database of its own in a folder that is removed afterwards.

    When ``database`` is SQLite, the two share an engine, aimed at the throw-away file meanwhile: what SQLAlchemy learns
    about statements stays with it. Nothing is open in the end.

    Args:
        database: not connected, and not to be used meanwhile.
    """
    with TemporaryDirectory(prefix="nursery-") as folder:
        file = Path(folder, "rehearsal.db")

        def aim(_dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
            arguments[0] = str(file)

        other = Database(database.engine) if database.is_sqlite else Database.open(f"sqlite+aiosqlite:///{file}")
        engine = other.engine
        event.listen(engine, "do_connect", aim, insert=True)
        try:
            yield other
        finally:
            event.remove(engine, "do_connect", aim)
            await other.close()

"""While the database is away people are told what did not happen, and everything goes on when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from permit_core import sqlite_place
from permit_core.errors import StoreError
from tests.server.conftest import StartServer
from tests.support.chat_server import ChatServer
from tests.support.scripted_model import ScriptedModel, says


@contextmanager
def away(server: ChatServer) -> Iterator[None]:
    """The database's files are somewhere else for a while."""
    place = Path(server.backend.core.database.location)
    elsewhere = place.with_name("elsewhere")
    elsewhere.mkdir()
    files = [place.with_name(place.name + suffix) for suffix in ("", "-wal", "-shm")]
    for file in files:
        file.rename(elsewhere / file.name)
    yield
    for file in files:
        (elsewhere / file.name).rename(file)
    elsewhere.rmdir()


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_place, "LOOK_AGAIN_SECONDS", 0)


@pytest.fixture
async def server(start: StartServer) -> ChatServer:
    return await start(ScriptedModel(says("Hello."), says("Hello again.")))


async def test_nobody_is_let_in_and_everybody_is_told_when_to_come_back(
    server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    token = server.token("henry")
    bearer = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        with away(server):
            assert (await client.get("/readyz")).status_code == 503
            for answer in (
                await server.log_in("henry"),
                await client.post("/token/refresh", headers=bearer),
                await client.get("/conversations", headers=bearer),
            ):
                assert answer.status_code == 503
                assert answer.headers["Retry-After"].isdigit()
                assert answer.json()["code"] == "store_unavailable"
                assert "nothing was done" in answer.json()["detail"]
                assert "elsewhere" not in answer.text
                assert ".db" not in answer.text
            with pytest.raises(InvalidStatus) as caught:
                async with server.socket(token):
                    pass
            assert caught.value.response.status_code == 503
            assert caught.value.response.headers["Retry-After"].isdigit()
        assert (await client.get("/readyz")).status_code == 200
    async with server.chat("henry", token):
        pass
    lines = [record for record in caplog.records if record.name == "permit_core.database"]
    assert 0 < len(lines) <= 4, "one when each of reading and writing fails, one when it is over"
    assert not any(record.exc_info for record in caplog.records)


async def test_an_open_chat_is_told_that_nothing_was_done_and_goes_on_afterwards(
    server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.chat("henry") as henry:
        assert (await henry.ask("Hello?")).outcome == "completed"
        with away(server):
            await henry.say("Order a Cheese Pizza.")
            error = await henry.next("error")
            assert error["code"] == "store_unavailable"
            assert "nothing was done" in error["content"]
            server.backend.notices.wake()
        assert (await henry.ask("Hello?")).outcome == "completed"
    assert not any(record.exc_info for record in caplog.records)


async def test_what_is_only_bookkeeping_costs_nobody_their_chat(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    note = server.backend.core.audit.note

    async def crowded(*events: object, **more: object) -> None:
        if any(str(getattr(event, "event", "")).startswith("session.") for event in events):
            raise StoreError("the database is busy")
        await note(*events, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(server.backend.core.audit, "note", crowded)
    async with server.chat("henry") as henry:
        assert (await henry.ask("Hello?")).outcome == "completed"
    assert "session.opened" in caplog.text

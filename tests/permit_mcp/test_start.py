"""What a server finds out when it starts, and what it leaves to the first request."""

from __future__ import annotations

from pathlib import Path

import pytest

from permit_core.errors import ConfigurationError, PolicyFileError, StoreError
from tests.permit_mcp.test_declarations import TOOLS, delete_file, list_files, server
from tests.support.tool_servers import call, refusal, text_of


async def test_a_database_that_cannot_be_opened_refuses_calls_as_an_outage_and_serves_once_it_can(
    files: Path, kind: str, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = files / "later"
    blocked.write_text("a file where a folder is to be")
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{blocked / 'permit.db'}")
    mcp, permit = server(files, kind, TOOLS)
    mcp.tool()(delete_file)
    mcp.tool()(list_files)
    try:
        assert (await refusal(mcp, "list_files", {}, era))["code"] == "store_unavailable"
        with pytest.raises(StoreError):
            await permit.start()
        blocked.unlink()
        blocked.mkdir()
        assert text_of(await call(mcp, "list_files", {}, era)) == "none"
    finally:
        await permit.close()


async def test_facts_that_are_wrong_do_not_start(files: Path, kind: str) -> None:
    _, permit = server(files, kind)
    (files / "facts.yaml").write_text("users: [{key: }]\n")
    with pytest.raises(PolicyFileError, match=r"facts\.yaml"):
        await permit.start()
    assert not (files / "permit.db").exists()


async def test_a_hook_that_there_is_not_does_not_start(files: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_HOOK", "json:no_such_function")
    _, permit = server(files, kind)
    with pytest.raises(ConfigurationError, match="record hook"):
        await permit.start()

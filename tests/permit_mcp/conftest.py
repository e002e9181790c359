"""Every rule holds on both kinds of server, in both protocol eras, and with both backends.

Not all of it times all of it: how a server and a protocol work does not depend on who decides, so Permit.io is asked
through one kind of server in one era.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from permit_core.bootstrap import Core
from tests.support.clock import SteadyClock
from tests.support.family import Family, meet
from tests.support.tool_servers import ERAS, KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The MCP SDK's own server, and the fastmcp package's."""
    return str(request.param)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """The 2026 protocol, and the one with a handshake."""
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave Permit.io in a second kind of server or a second era alone."""
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        again = given.get("kind", KINDS[0]) != KINDS[0] or given.get("era", ERAS[0]) != ERAS[0]
        (left if given.get("core_on_both") == "permit_io" and again else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


@pytest.fixture
async def core(core_on_both: Core) -> Core:
    """The shipped family, in our own backend and in Permit.io."""
    return core_on_both


@pytest.fixture
async def family(core: Core, clock: SteadyClock) -> Family:
    """The four people."""
    return await meet(core, clock)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the settings of this process keep everything."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'permit.db'}")
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ENV_FILE", "")
    return tmp_path

"""Every rule holds on both kinds of server and in both protocol eras."""

from __future__ import annotations

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


@pytest.fixture
async def family(core: Core, clock: SteadyClock) -> Family:
    """The four people."""
    return await meet(core, clock)

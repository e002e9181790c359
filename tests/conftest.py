"""Fixtures for every test: one event loop library, both databases, a core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from permit_core.database import Database
from tests.support.clock import SteadyClock
from tests.support.databases import PostgresServer, postgres_binaries, running_postgres
from tests.support.environment import SETTINGS, STATE_DIR

if TYPE_CHECKING:
    from permit_core.bootstrap import Core
    from tests.support.permit_io import SeededPermit

# What is configured on this machine, in the environment or in a .env, is nothing to the tests and what they start.
os.environ["ENV_FILE"] = ""
for _name in SETTINGS:
    os.environ.pop(_name, None)
os.environ["STATE_DIR"] = STATE_DIR


def pytest_configure(config: pytest.Config) -> None:
    """Without a word about which tests, the fast ones run: stories and terminals are for whoever names them."""
    chosen = config.option.markexpr or config.option.keyword
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen:
        config.option.markexpr = "not slow"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is installed, a skipped test is a test that failed to run.

    What lies beside the checkout cannot be installed.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    missed = [report for report in skipped if "beside the checkout" not in str(report.longrepr)]
    if os.environ.get("CI_NOTHING_SKIPPED") and reporter is not None and missed:
        reporter.write_line("CI_NOTHING_SKIPPED is set, and tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A throw-away PostgreSQL, started when the first test asks for it."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not on this machine")
    with running_postgres(binaries) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind in turn: with facts for who wants a core, with tables for a database, else empty."""
    from tests.support.core import begun

    server: PostgresServer | None = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
    asked = set(request.fixturenames)
    return begun(tmp_path, server, facts="core_on_each" in asked, tables="database" in asked)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the core's tables, of each kind in turn."""
    opened = Database.open(database_url)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture(scope="session")
def permit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeededPermit]:
    """A Permit.io with the shipped family, started when the first test asks for it."""
    from tests.support.permit_io import seeded_permit

    with seeded_permit(tmp_path_factory.mktemp("permit")) as permit:
        yield permit


@pytest.fixture
def permit_io(permit_server: SeededPermit) -> SeededPermit:
    """The same, as it was seeded."""
    permit_server.reset()
    return permit_server


@pytest.fixture
def clock() -> SteadyClock:
    """Noon of a day in November, until it is moved."""
    return SteadyClock()


@pytest.fixture
async def core(tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Core]:
    """The shipped family on SQLite, facts loaded."""
    from tests.support.core import make_core

    opened = await make_core(tmp_path, clock=clock)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def core_on_each(database_url: str, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Core]:
    """The shipped family on each kind of database in turn, facts loaded."""
    from tests.support.core import make_core

    opened = await make_core(tmp_path, database_url=database_url, clock=clock, facts=False)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture(params=["embedded", "permit_io"])
async def core_on_both(request: pytest.FixtureRequest, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Core]:
    """The shipped family in our own backend and in Permit.io: whoever uses it holds the two together."""
    from tests.support.core import make_core

    if request.param == "embedded":
        opened = await make_core(tmp_path, clock=clock)
    else:
        permit: SeededPermit = request.getfixturevalue("permit_io")
        opened = await permit.core(tmp_path, clock=clock)
    try:
        yield opened
    finally:
        await opened.close()

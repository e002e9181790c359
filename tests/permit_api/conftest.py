"""A server in a process of its own for all tests here, and for each test an environment that no other sees."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from permit import Permit

from tests.support.permit_checks import Checks
from tests.support.permit_description import Description, description_file
from tests.support.permit_local import Environment, LocalServer, running_local


@pytest.fixture(scope="session")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("permit_local")
    with running_local(folder, "--new-key", "organization") as server:
        yield server


@pytest.fixture
def environment(local_server: LocalServer) -> Environment:
    return local_server.new_environment()


@pytest.fixture(scope="session")
def description() -> Description | None:
    """Permit.io's description of its API, where it is there."""
    file = description_file()
    return None if file is None else Description(file)


@pytest.fixture
def api(environment: Environment, description: Description | None) -> Iterator[httpx.Client]:
    """A client of the environment. Where the description is there, every answer must be as it says."""
    with environment.client as client:
        if description is not None:
            client.event_hooks = {"response": [description.look]}
        yield client


@pytest.fixture
def permit(environment: Environment) -> Permit:
    """The official SDK."""
    return Permit(token=environment.key, pdp=environment.url, api_url=environment.url)


@pytest.fixture
def checks(api: httpx.Client, environment: Environment) -> Checks:
    """An environment in which ann may read all documents and write one."""
    made = Checks(api, environment)
    made.make()
    return made

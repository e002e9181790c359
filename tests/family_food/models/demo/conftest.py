"""Four people who talk to the demo model, over one family's tools in memory."""

from __future__ import annotations

import pytest

from tests.support.family_chat import Chat
from tests.support.family_tools import Family


@pytest.fixture
def home() -> Family:
    """The family's facts, requests and orders."""
    return Family()


@pytest.fixture
def henry(home: Family) -> Chat:
    """A child."""
    return Chat(home, home.key_of("Henry"))


@pytest.fixture
def rose(home: Family) -> Chat:
    """Another child."""
    return Chat(home, home.key_of("Rose"))


@pytest.fixture
def joe(home: Family) -> Chat:
    """A parent."""
    return Chat(home, home.key_of("Joe"))

"""The real backend, in a process of its own, with nothing configured but the offline demo model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from family_food.settings import ChatSettings
from tests.support.environment import STATE_DIR
from tests.support.stage import Scene, scene


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what runs in this process."""
    for name in ChatSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODEL", "demo")
    monkeypatch.setenv("STATE_DIR", STATE_DIR)


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where demos of this test put what they must not leave behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server with the demo model for many tests."""
    with scene(tmp_path_factory.mktemp("demo"), scripted=False) as running:
        yield running


@pytest.fixture(scope="session")
def scripted_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server whose model says what a test wants, for many tests."""
    with scene(tmp_path_factory.mktemp("scripted"), scripted=True) as running:
        yield running


@pytest.fixture
def demo(demo_server: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The demo model's server with no order and no request, and a home of one's own."""
    with demo_server.at_home(tmp_path) as mine:
        yield mine


@pytest.fixture
def scripted(scripted_server: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The scripted model's server with no order and no request, and a home of one's own."""
    with scripted_server.at_home(tmp_path) as mine:
        yield mine

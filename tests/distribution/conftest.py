"""The library as a stranger has it: built, installed into a fresh environment, used in a folder with nothing in it."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.environment import PROJECT
from tests.support.uv_tool import bare_of_python

INSTALL_SECONDS = 300


def run(command: Sequence[str | Path], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program as somebody who has nothing of ours around them."""
    return subprocess.run(
        [str(word) for word in command], cwd=folder, env=surroundings(folder, **more), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """The environment of such a person; what they keep is kept in a home of their own."""
    kept = bare_of_python(**more)
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    ours = {"ENV_FILE", "XDG_STATE_HOME", "XDG_DATA_HOME", "STATE_DIR"}
    return {name: value for name, value in kept.items() if name not in ours} | {
        "HOME": str(home),
        "UV_CACHE_DIR": uv("cache", "dir").stdout.strip(),
        **more,
    }


def uv(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """uv of whoever runs the tests; the test is skipped where there is none.

    Raises:
        AssertionError: it failed; shows what it said.
    """
    program = shutil.which("uv")
    if program is None:
        pytest.skip("uv is not on this machine: it builds and installs")
    done = subprocess.run(
        [program, *map(str, arguments)], cwd=PROJECT, env=bare_of_python(**more), capture_output=True, text=True,
        timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@dataclass(frozen=True)
class Installed:
    """An environment with the library in it, and the folder of somebody who uses it.

    Attributes:
        environment: the folder of the environment.
        folder: an empty folder.
    """

    environment: Path
    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.environment / "bin" / "python"

    def permit_mcp(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run ``permit-mcp`` in the folder."""
        return run([self.environment / "bin" / "permit-mcp", *arguments], self.folder, **more)

    def files(self) -> set[Path]:
        """What lies in the environment; what Python compiles aside."""
        return {path for path in self.environment.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, built by way of its source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", PROJECT / "src", "--out-dir", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def shelf(wheel: Path) -> dict[str, str]:
    """What makes uv find the library where it was built, and take the versions that are pinned."""
    pins = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    constraints = wheel.parent / "pins.txt"
    constraints.write_text("\n".join(pins["constraint-dependencies"]), encoding="utf-8")
    return {"UV_FIND_LINKS": str(wheel.parent), "UV_CONSTRAINT": str(constraints), "UV_COMPILE_BYTECODE": "1"}


def environment_with(wanted: str, folder: Path, shelf: dict[str, str]) -> Path:
    """A fresh environment with what is wanted of the library, and nothing else."""
    made = folder / "environment"
    uv("venv", "--quiet", "--no-project", made)
    uv("pip", "install", "--quiet", "--python", made / "bin" / "python", wanted, **shelf)
    return made


@pytest.fixture(scope="session")
def environment(shelf: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the library alone."""
    return environment_with("permit-mcp", tmp_path_factory.mktemp("installed"), shelf)


@pytest.fixture(scope="session")
def http_environment(shelf: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with what serves several people over HTTP."""
    return environment_with("permit-mcp[http]", tmp_path_factory.mktemp("http"), shelf)


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Installed:
    """The library, in a folder with nothing in it."""
    return in_an_empty_folder(environment, tmp_path)


def in_an_empty_folder(environment: Path, place: Path) -> Installed:
    """An environment, and a folder of somebody who has made it."""
    folder = place / "empty"
    folder.mkdir()
    return Installed(environment, folder)

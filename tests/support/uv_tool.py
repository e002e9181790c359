"""Programs from the package index, each in an environment of its own that uv makes and keeps."""

from __future__ import annotations

import shutil
import sys

from tests.support.environment import bare_environment


class Unavailable(Exception):
    """What a test needs cannot be had here; the text says why."""


def in_its_own_environment(*packages: str) -> list[str]:
    """The beginning of a command that runs with these packages and nothing of ours.

    Raises:
        Unavailable: uv is not on this machine.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise Unavailable("uv is not on this machine: it makes the environment")
    wanted = [part for package in packages for part in ("--with", package)]
    return [uv, "run", "--quiet", "--no-project", "--python", sys.executable, *wanted]


def bare_of_python(**more: str) -> dict[str, str]:
    """This environment without what tells Python, pytest or coverage where they are."""
    kept = bare_environment(**more)
    names = {"PYTHONWARNINGS", "PYTHONPATH", "VIRTUAL_ENV"}
    return {name: kept[name] for name in kept if name not in names and not name.startswith(("PYTEST", "COV"))}

"""A real OPA server on loopback, with the rules of this checkout."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cache import CACHE

RULES = Path(__file__).resolve().parents[2] / "policies" / "opa"
WAIT_SECONDS = 30
_SHORT_PAUSE = 0.02


def opa_binary() -> str:
    """The program that ``OPA_BINARY`` names, ``opa`` of PATH or of the cache; the test is skipped where there is none."""
    found = os.environ.get("OPA_BINARY") or shutil.which("opa") or shutil.which("opa", path=CACHE / "bin")
    if not found:
        pytest.skip("there is no OPA: neither OPA_BINARY nor an opa on PATH or in the cache that .ci/run fills")
    return found


def opa_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``opa`` to its end."""
    command = [opa_binary(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_opa(*more: str | Path, rules: Path | None = RULES, port: int | None = None) -> Iterator[str]:
    """Start OPA, and end it; its URL.

    Args:
        more: further arguments and folders.
        rules: the folder of rules, None for a server without any.
        port: where it listens; any free one when None.
    """
    url = f"http://127.0.0.1:{port or free_port()}"
    addr = url.removeprefix("http://")
    # The rules' own tests bring documents of theirs.
    arguments = [*map(str, more), *([str(rules), "--ignore=*_test.rego"] if rules else [])]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [opa_binary(), "run", "--server", "--disable-telemetry", "--log-level=error", "--addr", addr, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_healthy(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=WAIT_SECONDS):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("OPA does not start") from None
            time.sleep(_SHORT_PAUSE)

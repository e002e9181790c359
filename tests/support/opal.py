"""A real OPAL server and client on loopback, out of an environment of their own: they need another pydantic."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.support.cache import CACHE
from tests.support.opa import RULES, free_port

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "opal"
WAIT_SECONDS = 90
_SHORT_PAUSE = 0.05
_GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "init.defaultBranch=main")


@dataclass
class Opal:
    """A running OPAL server with one client."""

    url: str
    server: subprocess.Popen[bytes]

    def stop_server(self) -> None:
        """End the server; the client stays and waits for it."""
        _end(self.server)


def opal_programs() -> Path:
    """The folder with ``opal-server`` and ``opal-client``: ``OPAL_PROGRAMS``, or the cache's; else the test is skipped."""
    folder = Path(os.environ.get("OPAL_PROGRAMS") or CACHE / "opal" / "bin")
    if not (folder / "opal-server").exists() or not (folder / "opal-client").exists():
        pytest.skip(
            "there is no OPAL: neither OPAL_PROGRAMS nor the cache that .ci/run fills has opal-server and opal-client"
        )
    return folder


@contextmanager
def running_opal(folder: Path, opa_url: str) -> Iterator[Opal]:
    """Start both as ``deploy/opal`` says, with the rules of this checkout in a git repository in ``folder``; and end both.

    Returns when OPA has the rules.
    """
    programs = opal_programs()
    repository = _repository(folder / "rules")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    plain = {"PATH": f"{programs}:{os.defpath}", "HOME": str(folder)}
    of_server = {
        **dotenv_values(DEPLOYED / "server.env"),
        "OPAL_SERVER_PORT": str(port),
        "OPAL_POLICY_REPO_URL": f"file://{repository}",
        "OPAL_POLICY_REPO_CLONE_PATH": str(folder / "clone"),
    }
    of_client = {
        **dotenv_values(DEPLOYED / "client.env"),
        "OPAL_SERVER_URL": url,
        "OPAL_CLIENT_API_SERVER_PORT": str(free_port()),
        "OPAL_POLICY_STORE_URL": opa_url,
    }
    server = _start(programs / "opal-server", {**plain, **of_server}, folder)
    try:
        client = _start(programs / "opal-client", {**plain, **of_client}, folder)
        try:
            _wait_for_rules(opa_url, folder)
            yield Opal(url, server)
        finally:
            _end(client)
    finally:
        _end(server)


def _repository(folder: Path) -> Path:
    shutil.copytree(RULES, folder / "policies" / "opa")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Rules"]):
        subprocess.run([*_GIT, *command], cwd=folder, check=True, capture_output=True, timeout=WAIT_SECONDS)
    return folder


def _start(program: Path, environment: Mapping[str, str | None], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / f"{program.name}.log").open("wb") as log:
        return subprocess.Popen(
            [program, "run"],
            env={name: value or "" for name, value in environment.items()},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(WAIT_SECONDS)


def _wait_for_rules(opa_url: str, folder: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with urllib.request.urlopen(f"{opa_url}/v1/data/permit/answer", timeout=WAIT_SECONDS) as answer:
            if b"missing" in answer.read():
                return
        if time.monotonic() > deadline:
            for log in folder.glob("*.log"):
                sys.stderr.write(log.read_text(errors="replace")[-3000:])
            raise RuntimeError("OPAL does not bring the rules to OPA")
        time.sleep(_SHORT_PAUSE)

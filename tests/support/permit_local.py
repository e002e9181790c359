"""``permit-mcp local`` in a process of its own, on a free port, with a database of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.environment import PROJECT, bare_environment

WAIT_SECONDS = 60.0
# The command as it is, beside a thread that ends it when whoever started it is gone, however that came about. Told to
# end it ends as a program does, so that what was measured of it is kept.
_STARTER = """
import os, signal, sys, threading
from permit_mcp.command_line import main

def end_with_the_tests():
    os.read(0, 1)
    os._exit(1)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
threading.Thread(target=end_with_the_tests, daemon=True).start()
main()
"""


@dataclass(frozen=True)
class Environment:
    """One environment of a running server, and a key of it."""

    url: str
    key: str
    project_id: str
    environment_id: str

    @property
    def client(self) -> httpx.Client:
        """A client that has the key. To be closed."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=WAIT_SECONDS)

    def path(self, part: str) -> str:
        """The address of ``facts/users`` and the like in this environment."""
        noun, _, rest = part.partition("/")
        return f"/v2/{noun}/{self.project_id}/{self.environment_id}/{rest}"


@dataclass(frozen=True)
class LocalServer:
    """A running server.

    Attributes:
        url: its address.
        said: what it wrote until it was ready.
        organization_key: opens everything; empty unless it was asked for.
    """

    url: str
    said: str
    organization_key: str

    @property
    def environment_key(self) -> str:
        """The key that was shown on the first start."""
        return exported(self.said, "PERMIT_API_KEY")

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with a key; with that of the organisation when none is named. To be closed."""
        headers = {"Authorization": f"Bearer {key or self.organization_key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WAIT_SECONDS)

    def new_environment(self) -> Environment:
        """An environment that no other test sees."""
        with self.client() as client:
            organization = client.get("/v2/api-key/scope").json()["organization_id"]
            name = f"test-{uuid.uuid4().hex}"
            project = client.post("/v2/projects", json={"key": name, "name": name}).raise_for_status().json()
            found = client.get(f"/v2/projects/{name}/envs/dev").raise_for_status().json()
            ids = {"project_id": project["id"], "environment_id": found["id"]}
            made = client.post("/v2/api-key", json={"organization_id": organization, **ids}).raise_for_status().json()
        return Environment(self.url, made["secret"], **ids)


def exported(said: str, name: str) -> str:
    """The value of the first line ``export NAME=value``."""
    found = re.search(rf"^export {name}=(\S+)$", said, re.MULTILINE)
    assert found, said
    return found[1]


@contextmanager
def running_local(folder: Path, *arguments: str, **environment: str) -> Iterator[LocalServer]:
    """Start the server and end it; its database stays in the folder."""
    log = folder / "permit_local.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _STARTER, "local", "--port", "0", *arguments],
            cwd=PROJECT,
            env=bare_environment(ENV_FILE="", DB_NAME=str(folder / "family.db"), **environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    watchdog = threading.Timer(WAIT_SECONDS, process.kill)
    watchdog.start()
    try:
        said = _until_ready(process, log)
        watchdog.cancel()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url, said
        keys = re.findall(r"^export PERMIT_API_KEY=(\S+)$", said, re.MULTILINE)
        yield LocalServer(url[0], said, keys[-1] if "--new-key" in arguments else "")
    finally:
        watchdog.cancel()
        process.terminate()
        process.wait(WAIT_SECONDS)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _until_ready(process: subprocess.Popen[str], log: Path) -> str:
    """What is written until the line that says it is ready."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ready"):
            return "".join(lines)
    raise AssertionError("".join(lines) + log.read_text(encoding="utf-8"))


def answer(response: httpx.Response, status: int = 200) -> Any:
    """The JSON of an answer, which must have this status."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    return response.json() if response.content else None

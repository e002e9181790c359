"""The real ``server.py`` in a process of its own, with a database and a port of its own. It can be killed and come back."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.environment import PROJECT, bare_environment

WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05
# Below the ports that systems hand out by themselves: while the server is down, nobody else gets its port.
_PORTS = range(20_000, 32_000)
# server.py as it is, beside a thread that ends it when whoever started it is gone, however that came about.
_STARTER = """
import os, runpy, sys, threading

def end_with_the_tests():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end_with_the_tests, daemon=True).start()
sys.path.insert(0, "")
runpy.run_path("server.py", run_name="__main__")
"""


class ServerProcess:
    """Not started yet.

    Args:
        folder: for the database and the log; both survive a restart.
        environment: settings beside the shipped ones.

    Attributes:
        url: its base address.
        database: its SQLite file.
        environment: what it finds around it at its next start.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "family.db"
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        self.environment = bare_environment(
            **{
                "DB_NAME": str(self.database),
                "SECRET_KEY": "a secret of this one test alone, long enough",
                "MODEL": "demo",
                "LOGIN_ATTEMPTS_PER_MINUTE": "1000",
                **environment,
            }
        )

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _STARTER, "--port", str(self.port)],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._ready():
            try:
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, f"the server is not ready:\n{self.log}"
            else:
                raise AssertionError(f"the server ended:\n{self.log}")

    def revive(self) -> None:
        """Start it, unless it runs."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def change_secret(self) -> None:
        """From its next start on it knows none of the tokens that there are."""
        self.environment["SECRET_KEY"] = secrets.token_urlsafe(48)
        self._tokens.clear()

    def kill(self) -> None:
        """Kill it as no program can prevent."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(WAIT_SECONDS)
        self._let_go()

    def freeze(self) -> None:
        """Let it do nothing, as a machine that is out of memory."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(WAIT_SECONDS)
            raise AssertionError(f"the server did not end when it was asked to:\n{self.log}") from None
        finally:
            self._let_go()

    def _let_go(self) -> None:
        assert self._process is not None
        if self._process.stdin is not None:
            self._process.stdin.close()

    @property
    def log(self) -> str:
        """What it wrote to its log."""
        return self._log.read_text("utf-8", "replace")

    def token(self, username: str) -> str:
        """Log in; once for all tests on this server."""
        if username not in self._tokens:
            form = {"username": username, "password": f"{username}_password"}
            answer = httpx.post(f"{self.url}/token", data=form, timeout=WAIT_SECONDS, trust_env=False)
            self._tokens[username] = str(answer.raise_for_status().json()["access_token"])
        return self._tokens[username]

    def talk(self, username: str, *messages: str) -> str:
        """Say something in a window that nobody looks at; returns the assistant's words."""
        answers: list[str] = []
        with self._window(username) as socket:
            for message in messages:
                socket.send(json.dumps({"message": message}))
                while (frame := json.loads(socket.recv(WAIT_SECONDS)))["type"] != "turn_end":
                    answers += [frame["content"]] if frame["type"] == "text" else []
        return "\n".join(answers)

    def decide(self, username: str, verb: str, comment: str = "") -> None:
        """Decide the newest request, in a window that nobody looks at and without a model."""
        kind, request = self.sql("SELECT kind, id FROM requests ORDER BY created_at DESC, id LIMIT 1")[0]
        decision = {"type": "decide", "kind": kind, "request_id": request, "verb": verb, "comment": comment}
        with self._window(username) as socket:
            socket.send(json.dumps({**decision, "id": "d-1"}))
            while (frame := json.loads(socket.recv(WAIT_SECONDS)))["type"] != "decided":
                assert frame["type"] != "error", frame

    def _window(self, username: str) -> ClientConnection:
        header = {"Authorization": f"Bearer {self.token(username)}"}
        url = f"ws://127.0.0.1:{self.port}/ws/chat"
        return connect(url, additional_headers=header, proxy=None, open_timeout=WAIT_SECONDS)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """What another program sees, or does, in the database file."""
        with closing(sqlite3.connect(self.database, timeout=10)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, within bounds, for something that shows in the database alone."""
        assert self._process is not None
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come"
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_SECONDS)

    def orders(self) -> list[tuple[str, str]]:
        """Every order, first to last: who, what."""
        return self.sql("SELECT user_name, dish_name FROM orders ORDER BY placed_at, id")

    def requests(self) -> list[tuple[str, str]]:
        """Every request, first to last: the user's key, how it stands."""
        return self.sql("SELECT user_key, status FROM requests ORDER BY created_at, id")

    def forget(self) -> None:
        """Delete orders and requests; what somebody should be told of them is told."""
        self.sql("UPDATE notices SET delivered_at = created_at WHERE delivered_at IS NULL")
        for table in ("orders", "requests"):
            self.sql(f"DELETE FROM {table}")

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _free_port() -> int:
    for port in random.sample(_PORTS, 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@contextmanager
def running_server(folder: Path, **environment: str) -> Iterator[ServerProcess]:
    """A started server, until the body ends."""
    server = ServerProcess(folder, **environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()

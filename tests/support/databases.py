"""Databases for tests: SQLite files, and a throw-away PostgreSQL server that is started here."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWNER = "postgres"
WAIT_SECONDS = 60


@dataclass(frozen=True)
class PostgresServer:
    """A running server that listens on a socket of its own and nowhere else."""

    binaries: Path
    folder: Path

    def new_database(self, *, like: str = "template1") -> str:
        """Make a database, empty or as another one that nobody is connected to; its URL."""
        name = f"test_{uuid.uuid4().hex}"
        _run([self.binaries / "createdb", "-h", self.folder, "-U", OWNER, "-T", like, name], None)
        return f"postgresql+asyncpg://{OWNER}@/{name}?host={self.folder}"


def postgres_binaries() -> Path | None:
    """The folder that has ``initdb`` and ``pg_ctl``: of PATH, or where Debian keeps them; None when there is none."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in candidates if (each / "pg_ctl").exists() and (each / "createdb").exists()), None)


@contextmanager
def running_postgres(binaries: Path) -> Iterator[PostgresServer]:
    """Start a server with an empty cluster, and leave nothing of it behind."""
    user = _unprivileged_user()
    # Not under pytest's own folder: that belongs to root alone when root runs the tests, and its path may be too long
    # for a socket.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = folder / "data"
    try:
        if user is not None:
            shutil.chown(folder, user)
        _run([binaries / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync"], user)
        options = f"-c listen_addresses='' -k {folder} -F -c synchronous_commit=off -c full_page_writes=off"
        log = folder / "log"
        _run([binaries / "pg_ctl", "-D", data, "-l", log, "-w", "-t", WAIT_SECONDS, "-o", options, "start"], user)
        try:
            yield PostgresServer(binaries, folder)
        finally:
            _run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody", "daemon") if name in names)


def _run(command: list[Any], user: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server that inherits it
        stderr=subprocess.PIPE if "pg_ctl" not in str(command[0]) else subprocess.DEVNULL,
        timeout=WAIT_SECONDS + 30,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or b"").decode(errors="replace")
        raise RuntimeError(f"{Path(command[0]).name} failed with {done.returncode}: {said}")

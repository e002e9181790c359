"""Which processes there are, read from /proc."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet waited for does not."""
    return _parent_and_state(pid)[1] not in ("", "Z")


def zombies_of(pid: int) -> list[int]:
    """The children of a process that are dead and not waited for."""
    return [child for child in _all() if _parent_and_state(child) == (pid, "Z")]


def children_of(pid: int) -> list[int]:
    """The running children of a process."""
    return [child for child in _all() if _parent_and_state(child)[0] == pid and alive(child)]


def started_by(pid: int) -> list[int]:
    """The running children of a process, theirs, and so on."""
    children = children_of(pid)
    return children + [below for child in children for below in started_by(child)]


def descriptors_of(pid: int) -> dict[str, str]:
    """The open descriptors of a process: number and what it is."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # such as that of the listing itself, when the process is this one
            found[entry.name] = str(entry.readlink())
    return found


def fork_servers_of(pid: int) -> list[int]:
    """Those of its children that fork others."""
    return [child for child in children_of(pid) if "--fork-server" in _command(child)]


def tool_servers_of(pid: int) -> list[int]:
    """The tool servers of a chat server's sessions: spawned by itself, or forked by its fork server."""
    fork_servers = fork_servers_of(pid)
    forked = [child for fork_server in fork_servers for child in children_of(fork_server)]
    return [child for child in children_of(pid) if child not in fork_servers] + forked


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent_and_state(pid: int) -> tuple[int, str]:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0, ""
    return int(words[1]), words[0]


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []

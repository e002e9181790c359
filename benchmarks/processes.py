"""What a server and the processes under it hold: read from /proc."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
KIB = 1024


@dataclass(frozen=True)
class Memory:
    """Bytes of one process: its alone, and with its share of what it has in common with others."""

    private: int
    proportional: int


def memory_of(pid: int) -> Memory:
    """What /proc/PID/smaps_rollup says."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines)}
    return Memory((kib["Private_Clean"] + kib["Private_Dirty"]) * KIB, kib["Pss"] * KIB)


def tree_under(pid: int) -> tuple[list[int], list[int]]:
    """The processes under a server that are fork servers, and those that serve a session."""
    parents = dict(_living())
    under = [child for child in parents if pid in _line_of(child, parents)]
    fork_servers = [child for child in under if parents[child] == pid and _is_fork_server(child)]
    return fork_servers, [child for child in under if child not in fork_servers]


def is_forked(pid: int) -> bool:
    """Whether the process of a session comes from a fork server, and not from the server itself."""
    return _is_fork_server(dict(_living()).get(pid, 0))


def descriptors_of(pid: int) -> Counter[str]:
    """How many descriptors of which kind a process has open: ``socket``, ``pipe``, ``file``, ``other``."""
    kinds: Counter[str] = Counter()
    for entry in (PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            kind = target.split(":", 1)[0]
            kinds[kind if kind in ("socket", "pipe") else "file" if target.startswith("/") else "other"] += 1
    return kinds


def _living() -> Iterator[tuple[int, int]]:
    """Every process and its parent; those that have ended but were not waited for as well."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])


def _line_of(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while (pid := parents.get(pid, 0)) > 0:
        yield pid


def _is_fork_server(pid: int) -> bool:
    with suppress(OSError):
        return b"--fork-server" in (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    return False

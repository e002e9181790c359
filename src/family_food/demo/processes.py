"""Processes that another process started, so that none of them outlives it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """Everything below one process at one moment: process ids with their start times, because ids are used again.

    Where there is no ``/proc`` it is empty; there a child ends because its standard input does.
    """

    members: frozenset[tuple[int, str]]

    @classmethod
    def below(cls, pid: int) -> Self:
        """The descendants of a process, itself left out."""
        parents = {child: facts for child, facts in ((c, _facts(c)) for c in _pids()) if facts is not None}
        found: set[tuple[int, str]] = set()
        wanted = [pid]
        while wanted:
            parent = wanted.pop()
            for child, (its_parent, started) in parents.items():
                if its_parent == parent and (child, started) not in found:
                    found.add((child, started))
                    wanted.append(child)
        return cls(frozenset(found))

    def survivors(self) -> frozenset[int]:
        """Those that still run."""
        facts = ((pid, started, _facts(pid)) for pid, started in self.members)
        return frozenset(pid for pid, started, now in facts if now is not None and now[1] == started)

    def kill_survivors(self) -> None:
        """End those that still run."""
        for pid in self.survivors():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()] if _PROC.is_dir() else []


def _facts(pid: int) -> tuple[int, str] | None:
    """Parent and start time of a process that runs; None for one that is gone or only waits to be buried."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])

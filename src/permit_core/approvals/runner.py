"""Which process sends a call, so that one that died is known at once and not only after a bound.

The kernel's boot, process namespace, process id and start time name a process for good. Where they cannot be read (no
``/proc``), and for processes of other machines, nothing is said and the bound counts.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_UNSAID = "-"


def this_runner() -> str:
    """The name of this process."""
    return f"{_place()} {os.getpid()} {_started(os.getpid()) or _UNSAID}"


def is_gone(runner: str | None) -> bool:
    """Whether the process of this name was one of this machine and is certain not to run any more."""
    place, _, rest = (runner or "").partition(" ")
    number, _, started = rest.partition(" ")
    if _UNSAID in {place, started} or not number.isdigit() or place != _place():
        return False
    return _started(int(number)) != started


def _place() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    return _UNSAID


def _started(process: int) -> str | None:
    """When a process started, in the kernel's ticks; None when there is none of this number."""
    with suppress(OSError):
        # The name of the program comes second, in brackets, and may hold anything.
        after_name = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        return after_name.split()[19]
    return None

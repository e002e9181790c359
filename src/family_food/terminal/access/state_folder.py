"""Where the client keeps what outlives it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def state_folder() -> Path:
    """The client's own folder: ``permit-chat`` under ``XDG_STATE_HOME``, else under ``~/.local/state``."""
    given = os.environ.get("XDG_STATE_HOME", "")
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / ".local" / "state"
    return base / "permit-chat"


def private_folder() -> Path:
    """The same folder, made if need be, for nobody else to look into.

    Raises:
        OSError: it cannot be made.
    """
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)
    return folder

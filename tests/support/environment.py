"""What a program under test finds in its environment: nothing of whoever runs the tests."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from family_food.settings import ChatSettings
from permit_api.settings import LocalSettings

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = frozenset(name.upper() for product in (ChatSettings, LocalSettings) for name in product.model_fields)
"""Every variable that a product reads."""

# Whatever changes how a terminal program talks.
_TASTE = {
    "FORCE_COLOR",
    "NO_COLOR",
    "CLICOLOR",
    "COLUMNS",
    "LINES",
    "PYTHONIOENCODING",
    "PYTHONUTF8",
    "PERMIT_CHAT_URL",
    "PERMIT_CHAT_TOKEN",
    "PYTHON_KEYRING_BACKEND",
    "XDG_STATE_HOME",
}


# What this process and those that it starts keep for an account: keys of their own, gone at the end.
STATE_DIR = tempfile.mkdtemp(prefix="state-")
atexit.register(shutil.rmtree, STATE_DIR, ignore_errors=True)


def bare_environment(**extra: str) -> dict[str, str]:
    """This environment without settings of the project and without anybody's taste in terminals."""
    kept = {name: value for name, value in os.environ.items() if name.upper() not in SETTINGS | _TASTE}
    # Whoever runs the tests keeps their own history, log-ins and keyring: what is kept nowhere is no file of theirs.
    nowhere = {
        "STATE_DIR": STATE_DIR,
        "XDG_STATE_HOME": os.devnull,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    return {**kept, **nowhere, "LANG": "C.UTF-8", "TERM": "xterm", "PYTHONWARNINGS": "error", **extra}

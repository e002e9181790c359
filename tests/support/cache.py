"""Where builds and downloads that take minutes are kept, for every run and every checkout of whoever runs the tests."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "permit-mcp"

"""How much work something is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_MEASURING_COVERAGE = 60
"""Times as slow: whoever measures which lines run looks at every one."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fails when the body costs more processor time.

    Args:
        seconds: many times of what it costs in practice.
    """
    started = time.process_time()
    yield
    cost = time.process_time() - started
    assert cost < seconds * (1 if sys.gettrace() is None else _MEASURING_COVERAGE), f"{cost:.2f} s"

"""Where stdio servers log."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from permit_mcp.stderr_log import log_to_own_stderr, log_to_stderr


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_forked_process_logs_to_its_own_standard_error_at_its_parents_level(monkeypatch: pytest.MonkeyPatch) -> None:
    parents, own = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", parents)
    log_to_stderr("WARNING")
    monkeypatch.setattr("sys.stderr", own)
    log_to_own_stderr()
    logging.getLogger("x").warning("heard")
    logging.getLogger("x").info("not heard")
    assert "WARNING x: heard" in own.getvalue()
    assert "not heard" not in own.getvalue()
    assert parents.getvalue() == ""

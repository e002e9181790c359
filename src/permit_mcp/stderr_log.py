"""Where a stdio server logs: standard error, for standard output is the protocol."""

from __future__ import annotations

import logging
import sys

from permit_core.program_log import LogFormat, log_formatter


def log_to_stderr(level: str, form: LogFormat = "text") -> None:
    """Send everything that is logged from now on to standard error.

    Call it before a server object is made: the SDK's constructor sets logging up as well, unless that has been done.

    Args:
        level: ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``.
        form: lines for people, or JSON.
    """
    _to_stderr(form)
    logging.getLogger().setLevel(level)
    # Chatter, and at DEBUG every statement with its parameters.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def log_to_own_stderr(form: LogFormat = "text") -> None:
    """The same in a forked process, whose standard error is another one; the levels are its parent's.

    To set a level is to write into every logger there is, and what is written to is not shared any more.
    """
    _to_stderr(form)


def _to_stderr(form: LogFormat) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter(form))
    logging.basicConfig(handlers=[handler], force=True)

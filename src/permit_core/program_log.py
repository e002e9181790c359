"""How the program's log is written: lines for people, or JSON for what collects logs. Not the audit log."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_formatter(form: LogFormat, text: str = TEXT) -> logging.Formatter:
    """What LOG_FORMAT asks for; ``text`` is the format for people."""
    return JsonFormatter() if form == "json" else logging.Formatter(text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at`` (ISO 8601 in UTC), ``level``, ``logger``, ``message``, and ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        return json.dumps(told)

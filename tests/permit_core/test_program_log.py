"""The program's own log, for people and for what collects logs."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from permit_core.program_log import JsonFormatter, log_formatter


def record(message: str, *arguments: object, failed: bool = False) -> logging.LogRecord:
    error = None
    if failed:
        try:
            int("no\nway")
        except ValueError:
            error = sys.exc_info()
    return logging.LogRecord("permit_core.audit", logging.WARNING, __file__, 1, message, arguments, error)


def test_json_is_one_object_a_line_whatever_the_message_holds() -> None:
    line = JsonFormatter().format(record("%s said\n\x1b[2J", "somebody"))
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == (
        "WARNING",
        "permit_core.audit",
        "somebody said\n\x1b[2J",
    )
    assert told["at"].endswith("+00:00")


def test_json_holds_what_went_wrong_and_where() -> None:
    told = json.loads(JsonFormatter().format(record("failed", failed=True)))
    assert "ValueError: invalid literal" in told["exception"]
    with_stack = record("here")
    with_stack.stack_info = "Stack: here"
    assert json.loads(JsonFormatter().format(with_stack))["stack"] == "Stack: here"


@pytest.mark.parametrize(
    ("form", "said"), [("json", '"message": "ready"'), ("text", "WARNING permit_core.audit: ready")]
)
def test_the_setting_chooses(form: str, said: str) -> None:
    assert said in log_formatter(form).format(record("ready"))  # type: ignore[arg-type]

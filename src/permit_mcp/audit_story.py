"""Audit records as sentences for people. All text in them is data: it goes through the one character policy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from permit_core.ports.record import AuditRecord
from permit_core.views import plain

INDENT = "    "

_ASKED = {
    "request.created": "asked for",
    "request.approved": "allowed",
    "request.denied": "denied",
    "request.cancelled": "withdrew",
    "request.expired": "let lapse",
    "request.executing": "began to use",
    "request.used": "used up",
    "request.unknown": "lost track of",
    "request.voided": "took back",
}

_BY = {"access_request": "role", "operation_approval": "operation", "call": "tool"}


def line_of(record: AuditRecord, names: Mapping[str, str]) -> str:
    """A record as one line without anything that a terminal would obey."""
    return plain(f"{record.seq} {time_of(record.at)} {record.event} {who(record, names)}: {what(record, names)}")


def story_of(records: Sequence[AuditRecord], names: Mapping[str, str]) -> Iterator[str]:
    """What happened to one request, or one record, as lines: when, who, what; then what binds it to the log."""
    for record in records:
        yield plain(f"{time_of(record.at)} {who(record, names)} {_sentence(record, names)}")
        for decision in _decisions(record):
            yield INDENT + plain(f"decided: {decision}")
        bound = {"environment": record.environment, "session": record.session, "policy": record.policy}
        told = ", ".join(f"{name} {value}" for name, value in bound.items() if value)
        yield INDENT + plain(f"record {record.seq}, {told}")


def time_of(at: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def who(record: AuditRecord, names: Mapping[str, str]) -> str:
    """``Henry (3)@default``, with the agent that acted for the user."""
    agent = f" through {record.agent}" if record.agent else ""
    return f"{_named(record.user, names)}{f'@{record.tenant}' if record.tenant else ''}{agent}"


def what(record: AuditRecord, names: Mapping[str, str]) -> str:
    """What the record tells, in one line."""
    body = record.body
    if record.event in _ASKED:
        return _request(body, names)
    if record.event in {"tool.call", "tool.refused"}:
        decided = "; ".join(_decisions(record))
        return f"{_call(body)}{f' ({decided})' if decided else ''}"
    return " ".join(f"{name}={_short(value)}" for name, value in body.items() if value not in (None, ""))


def _sentence(record: AuditRecord, names: Mapping[str, str]) -> str:
    told = what(record, names)
    match record.event:
        case event if event in _ASKED:
            return f"{_ASKED[event]} {told}"
        case "tool.call":
            return f"called {_call(record.body)}"
        case "tool.refused":
            return f"was refused {_call(record.body)}"
        case event:
            return f"{event}: {told}"


def _request(body: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """``role reader on docs:d1 for Ann (3): "please"; comment: "only today"``."""
    kind = _BY.get(str(body.get("kind")), "request")
    on = body.get("acts_on") or body.get("resource")
    said = f"{kind} {body.get(kind, '')} on {on} for {_named(str(body.get('user', '')), names)}"
    if body.get("reason"):
        said += f": {_short(body['reason'])}"
    for name in ("arguments", "pinned"):
        if body.get(name):
            said += f", with {_short(body[name])}"
    if body.get("comment"):
        said += f", saying {_short(body['comment'])}"
    return said if not body.get("expires_at") else f"{said}, until {body['expires_at']}"


def _call(body: Mapping[str, Any]) -> str:
    outcome = " ".join(str(body[name]) for name in ("outcome", "code") if body.get(name))
    return f"{body.get('tool')} {_short(body.get('arguments', {}))} -> {outcome}"


def _decisions(record: AuditRecord) -> list[str]:
    decisions = record.body.get("decisions", [])
    if record.event == "decision":
        decisions = [record.body]
    return [
        f"{told.get('effect')} {told.get('action')} on {told.get('resource')} ({told.get('reason_code')}"
        f"{', ' + str(told['rule']) if told.get('rule') else ''})"
        for told in decisions
        if isinstance(told, Mapping)
    ]


def _named(user: str, names: Mapping[str, str]) -> str:
    name = names.get(user, "")
    return f"{name} ({user})" if name else user


def _short(value: Any) -> str:
    """Never cut: what was done has to be readable whole."""
    return (
        value if isinstance(value, str) and value.isalnum() else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )

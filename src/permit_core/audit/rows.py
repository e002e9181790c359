"""Rows of the audit tables, and what they are read as."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, or_

from permit_core.audit.chain import Link, moment
from permit_core.audit.signing import Checkpoint
from permit_core.ports.record import AuditRecord, RecordFilter
from permit_core.stores.tables import audit_records

_NEVER = datetime.min.replace(tzinfo=UTC)


def stored(row: Row[Any]) -> Link:
    """A row as it stands."""
    return Link(
        environment=str(row.environment),
        seq=row.seq,
        at=str(row.at),
        event=str(row.event),
        user=str(row.user_key),
        tenant=str(row.tenant),
        agent=str(row.agent),
        session=str(row.session),
        request=str(row.request),
        policy=str(row.policy),
        body=str(row.body),
        previous_hash=str(row.previous_hash),
        hash=str(row.hash),
        format=row.format,
    )


def checkpoint_of(row: Row[Any]) -> Checkpoint:
    """A row of the checkpoints."""
    return Checkpoint(
        str(row.environment), row.seq, str(row.hash), str(row.at), str(row.key), str(row.successor), str(row.signature)
    )


def record_of(link: Link) -> AuditRecord:
    """A record to be read; what is damaged is shown as it is."""
    try:
        body = json.loads(link.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):  # somebody has been at it: still to be read, and verify says which record it is
        body = {"unreadable": link.body}
    try:
        at = datetime.fromisoformat(link.at).astimezone(UTC)
    except (ValueError, OverflowError):
        at = _NEVER
    return AuditRecord(
        seq=link.seq,
        at=at,
        event=link.event,
        environment=link.environment,
        user=link.user,
        tenant=link.tenant,
        agent=link.agent,
        session=link.session,
        request=link.request,
        policy=link.policy,
        body=body,
        previous_hash=link.previous_hash,
        hash=link.hash,
    )


def conditions_of(environment: str, wanted: RecordFilter | None) -> list[ColumnElement[bool]]:
    """What the table is asked for."""
    columns = audit_records.c
    conditions: list[ColumnElement[bool]] = [columns.environment == environment]
    if wanted is None:
        return conditions
    exact = {
        columns.user_key: wanted.user,
        columns.agent: wanted.agent,
        columns.session: wanted.session,
        columns.request: wanted.request,
    }
    conditions += [column == value for column, value in exact.items() if value is not None]
    if wanted.event is not None:
        family = columns.event.startswith(f"{wanted.event}.", autoescape=True)
        conditions.append(or_(columns.event == wanted.event, family))
    if wanted.since is not None:
        conditions.append(columns.at >= moment(wanted.since))
    if wanted.until is not None:
        conditions.append(columns.at < moment(wanted.until))
    return conditions

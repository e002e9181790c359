"""The checks that were made in an environment, as Permit.io's audit logs answer them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select

from permit_api.faults import not_found
from permit_api.store.session import Paging, Row, Session
from permit_api.store.tables import CHECKS_KEPT, checks
from permit_api.store.tables import users as people


def list_checks(
    session: Session,
    paging: Paging,
    *,
    users: Sequence[str] = (),
    resources: Sequence[str] = (),
    pdp_id: UUID | None = None,
    decision: bool | None = None,
    tenant: str | None = None,
    action: str | None = None,
    timestamp_from: int | None = None,
    timestamp_to: int | None = None,
    query_type: str = "none",
) -> dict[str, Any]:
    """A page of the checks, the newest first. None, and an empty list, narrow nothing.

    Args:
        session: the environment.
        paging: which page.
        users: by one of these users, by keys or e-mail addresses.
        resources: on one of these types, or of these instances (``type:key``).
        pdp_id: made by this decision point. The one that is here has no id.
        decision: allowed, or not.
        tenant: in this tenant.
        action: to do this.
        timestamp_from: since then, in seconds since 1970.
        timestamp_to: until the end of this second.
        query_type: ``check``, or ``none`` for all; of other calls nothing is kept.
    """
    same = {checks.c.allowed: decision, checks.c.tenant: tenant, checks.c.action: action}
    where = [column == wanted for column, wanted in same.items() if wanted is not None]
    if users:
        named = select(people.c.key).where(people.c.environment_id == session.environment_id, people.c.email.in_(users))
        where.append(or_(checks.c.user_key.in_(users), checks.c.user_key.in_(named)))
    if resources:
        whole = checks.c.resource_type + ":" + checks.c.resource_key
        where.append(or_(checks.c.resource_type.in_(resources), whole.in_(resources)))
    if timestamp_from is not None:
        where.append(checks.c.at >= datetime.fromtimestamp(timestamp_from, UTC))
    if timestamp_to is not None:
        where.append(checks.c.at < datetime.fromtimestamp(timestamp_to + 1, UTC))
    if pdp_id is not None or query_type not in {"check", "none"}:
        where.append(false())
    found = select(checks).where(*_kept(session), *where).order_by(checks.c.at.desc(), checks.c.id)
    rows, total = session.page(found, paging)
    data, pages = [_read(session, row) for row in rows], -(-total // paging.per_page)
    return {"data": data, "total_count": total, "page_count": pages, "pagination_count": total}


def get_check(session: Session, check_id: UUID) -> dict[str, Any]:
    """One check, with what was asked and answered as a whole.

    Raises:
        ApiFault: 404, there is none.
    """
    row = session.row(select(checks).where(*_kept(session), checks.c.id == str(check_id)))
    if row is None:
        raise not_found("AuditLog", str(check_id))
    said = _read(session, row)
    raw = {
        name: value for name, value in said.items() if name not in {"id", "org_id", "project_id", "env_id", "reason"}
    }
    return {**said, "raw_data": {"engine": "GENERIC", "decision_id": row["id"], **raw}, "objects": {}}


def _kept(session: Session) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return checks.c.environment_id == session.environment_id, checks.c.at > session.now - CHECKS_KEPT


def _read(session: Session, row: Row) -> dict[str, Any]:
    asked, result, ids = json.loads(row["input"]), json.loads(row["result"]), session.ids
    debug = result["debug"]
    said = next((debug[source] for source in debug["allow_sources"]), debug)
    return {
        "id": row["id"],
        "timestamp": row["at"].isoformat(),
        "query": "permit/root",
        "user_key": row["user_key"],
        "action": row["action"],
        "resource_type": row["resource_type"],
        "tenant": row["tenant"],
        "decision": row["allowed"],
        "reason": f"{said['code']}: {'; '.join(said['reason'])}",
        "org_id": ids["organization_id"],
        "project_id": ids["project_id"],
        "env_id": ids["environment_id"],
        "input": asked,
        "result": result,
        "context": {**asked, "tenant": row["tenant"]},
    }

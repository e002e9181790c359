"""Requests move into the core's table; what stays here is the element that each was made through.

The core keeps one request of a kind waiting: of several that are the same the newest waits on, and the others are canceled.
Each gets a record of where it stands.
"""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from alembic import op

from permit_core.audit.log import AuditLog
from permit_core.identity import Actor, system_actor
from permit_core.ports.record import AuditEvent

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
OLD = (
    "SELECT q.id, q.kind, q.environment_id, q.element_id, q.reason, q.status, q.reviewed_at, q.reviewer_comment, q.created_at, "
    "q.updated_at, u.key AS user_key, u.first_name, u.last_name, t.key AS tenant, r.key AS resource, i.key AS instance, "
    "o.key AS role, v.key AS reviewer FROM api_requests q JOIN users u ON u.id = q.user_id JOIN tenants t ON t.id = q.tenant_id "
    "LEFT JOIN api_resources r ON r.id = q.resource_id LEFT JOIN resource_instances i ON i.id = q.instance_id "
    "LEFT JOIN api_roles o ON o.id = q.role_id LEFT JOIN users v ON v.id = q.reviewer_id ORDER BY q.created_at DESC, q.id"
)
REQUESTS = sa.table(
    "requests",
    *map(sa.column, ("id", "kind", "environment", "tenant", "user_key", "user_name", "resource_type", "resource_key")),
    *map(
        sa.column,
        ("resource_name", "role", "operation", "reason", "status", "decided_by", "decided_by_name", "comment"),
    ),
    sa.column("pinned", sa.JSON),
    *(sa.column(name, TIME) for name in ("created_at", "decided_at")),
)
ASKED = sa.table("api_asked", sa.column("request_id"), sa.column("element_id"), sa.column("updated_at", TIME))


def upgrade() -> None:
    """Make the table of elements, move the requests, and drop the old table."""
    op.create_table(
        "api_asked",
        sa.Column("request_id", sa.String(40), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "element_id",
            sa.String(36),
            sa.ForeignKey("api_elements.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("updated_at", TIME, nullable=False),
    )
    connection = op.get_bind()
    times = dict.fromkeys(("created_at", "updated_at", "reviewed_at"), TIME)
    waiting: set[tuple[Any, ...]] = set()
    log = AuditLog(cast("Any", None))
    for old in connection.execute(sa.text(OLD).columns(**times)).all():
        row = _row(old)
        same = tuple(
            row[name] for name in ("environment", "kind", "tenant", "user_key", "resource_type", "resource_key", "role")
        )
        if row["status"] == "pending" and same in waiting:
            row["status"] = "cancelled"
        if row["status"] == "pending":
            waiting.add(same)
        connection.execute(sa.insert(REQUESTS), row)
        connection.execute(
            sa.insert(ASKED), {"request_id": old.id, "element_id": old.element_id, "updated_at": old.updated_at}
        )
        log.append_now(connection, _record(row))
    op.drop_table("api_requests")


def _row(old: sa.Row[Any]) -> dict[str, Any]:
    kind, key = old.resource or "__tenant", old.instance or ""
    return {
        "id": old.id,
        "kind": old.kind,
        "environment": old.environment_id,
        "tenant": old.tenant,
        "user_key": old.user_key,
        "user_name": " ".join(name for name in (old.first_name, old.last_name) if name) or old.user_key,
        "resource_type": kind,
        "resource_key": key,
        "resource_name": f"{kind}:{key}" if key else kind,
        "role": old.role or "",
        "operation": "operate" if old.kind == "operation_approval" else "",
        "reason": old.reason or "",
        "status": "cancelled" if old.status == "canceled" else old.status,
        "decided_by": old.reviewer,
        "decided_by_name": old.reviewer,
        "comment": old.reviewer_comment or "",
        "pinned": {},
        "created_at": old.created_at,
        "decided_at": old.reviewed_at,
    }


def _record(row: dict[str, Any]) -> AuditEvent:
    """Where a request stands that was made before anything was recorded of it."""
    actor: Actor = system_actor(row["environment"], row["tenant"])
    body = {
        "request": row["id"],
        "kind": row["kind"],
        "user": row["user_key"],
        "resource": row["resource_name"],
        **{name: row[name] for name in ("role", "operation", "decided_by") if row[name]},
        "status": row["status"],
    }
    return AuditEvent("request.brought_forward", actor, body, request=row["id"])

"""Requests for calls, how long a yes lasts, standing yeses, and new requests whose reviewers are to be found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String(100)
TIME = sa.DateTime(timezone=True)
OPEN = sa.text("status = 'pending'")


def upgrade() -> None:
    """Widen the requests, and make the tables that go with calls."""
    _requests()
    op.create_table(
        "held_arguments",
        sa.Column("request_id", sa.String(40), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "announcements",
        sa.Column("request_id", sa.String(40), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("created_at", TIME, nullable=False),
    )
    _standing_approvals()


def _requests() -> None:
    op.execute("ALTER TABLE requests RENAME COLUMN arguments TO pinned")
    for column in (
        sa.Column("lasts_seconds", sa.Integer),
        sa.Column("agent", sa.String(200), nullable=False, server_default=""),
        sa.Column("session", sa.String(200), nullable=False, server_default=""),
        sa.Column("asked_as", KEY, nullable=False, server_default=""),
        sa.Column("review_action", KEY, nullable=False, server_default=""),
        sa.Column("confirmed_by", sa.String(12), nullable=False, server_default="reviewer"),
        sa.Column("tool", sa.String(200), nullable=False, server_default=""),
        sa.Column("digest", sa.String(64), nullable=False, server_default=""),
        sa.Column("definition", sa.String(64), nullable=False, server_default=""),
        sa.Column("gate", sa.String(12), nullable=False, server_default=""),
        sa.Column("arguments", sa.JSON),
        sa.Column("claimed_at", TIME),
        sa.Column("runner", sa.String(200)),
        sa.Column("standing", sa.String(40)),
    ):
        op.add_column("requests", column)
    op.drop_index("uq_requests_open", "requests")
    op.create_index(
        "uq_requests_open",
        "requests",
        [
            "kind",
            "tenant",
            "user_key",
            "agent",
            "resource_type",
            "resource_key",
            "role",
            "operation",
            "tool",
            "digest",
            "gate",
        ],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def _standing_approvals() -> None:
    op.create_table(
        "standing_approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("user_key", KEY, nullable=False),
        sa.Column("agent", sa.String(200), nullable=False, server_default=""),
        sa.Column("tool", sa.String(200), nullable=False),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("resource_type", KEY, nullable=False),
        sa.Column("operation", KEY, nullable=False),
        sa.Column("gate", sa.String(12), nullable=False),
        sa.Column("confirmed_by", sa.String(12), nullable=False),
        sa.Column("review_action", KEY, nullable=False, server_default=""),
        sa.Column("shape", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("given_by", KEY, nullable=False),
        sa.Column("given_by_name", sa.String(400), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("revoked_by", KEY),
        sa.Index("ix_standing_approvals_of", "environment", "tenant", "user_key", "tool"),
    )

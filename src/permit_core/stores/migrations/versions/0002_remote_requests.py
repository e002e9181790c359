"""Requests that Permit.io has as well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table that ties our requests to Permit.io's."""
    op.create_table(
        "remote_requests",
        sa.Column("request_id", sa.String(40), sa.ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("remote_id", sa.String(60), nullable=False, unique=True),
        sa.Column("owed", sa.String(20)),
        sa.Index("ix_remote_requests_owed", "owed"),
    )

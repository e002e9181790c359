"""The checks that were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; of earlier checks nothing is known."""
    op.create_table(
        "api_checks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "environment_id", sa.String(36), sa.ForeignKey("api_environments.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_key", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("resource_type", sa.Text, nullable=False),
        sa.Column("resource_key", sa.Text),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("allowed", sa.Boolean, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
    )
    op.create_index("ix_api_checks_at", "api_checks", ["at"])
    op.create_index("ix_api_checks_listing", "api_checks", ["environment_id", "at"])

"""What was used up of the policy's quotas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "quota_spendings",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("quota", sa.String(1000), primary_key=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("amount", sa.String(200), nullable=False),
    )

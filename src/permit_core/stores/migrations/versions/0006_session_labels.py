"""What sessions have read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of labels."""
    op.create_table(
        "session_labels",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("user_key", sa.String(100), primary_key=True),
        sa.Column("agent", sa.String(200), primary_key=True),
        sa.Column("place", sa.String(200), primary_key=True),
        sa.Column("label", sa.String(40), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_session_labels_expiry", "session_labels", ["environment", "expires_at"])

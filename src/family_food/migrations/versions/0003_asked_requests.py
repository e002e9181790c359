"""Which conversation a request was asked in; of those that were asked before, that is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(40)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "asked_requests",
        sa.Column("request_id", ID, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("conversation_id", ID, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("answered", sa.Boolean, nullable=False),
    )
    op.create_index("ix_asked_requests_conversation", "asked_requests", ["conversation_id", "answered"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("asked_requests")

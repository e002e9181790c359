"""A notice for each channel, and each told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name the channel of each notice; of notices that say the same to the same person the first stays."""
    op.add_column("notices", sa.Column("channel", sa.String(20), nullable=False, server_default="session"))
    op.execute(
        "DELETE FROM notices WHERE id NOT IN (SELECT MIN(id) FROM notices GROUP BY request_id, recipient, event)"
    )
    op.create_index("uq_notices_told", "notices", ["request_id", "recipient", "event", "channel"], unique=True)

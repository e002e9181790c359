"""Orders and conversations belong to an environment; those that are there to ``default``, the only one there was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LISTED_BY = {"orders": ["tenant", "placed_at"], "conversations": ["user_key", "tenant", "updated_at"]}


def upgrade() -> None:
    """Add the column, and list by it first."""
    for table, columns in LISTED_BY.items():
        added = sa.Column("environment", sa.String(100), nullable=False, server_default="default")
        op.add_column(table, added)
        op.drop_index(f"ix_{table}_listing", table)
        op.create_index(f"ix_{table}_listing", table, ["environment", *columns])

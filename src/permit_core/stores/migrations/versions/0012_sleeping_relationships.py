"""Relationships whose relation the policy loses sleep as grants do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say since when a relationship sleeps."""
    op.add_column("relationship_tuples", sa.Column("asleep_since", sa.DateTime(timezone=True)))

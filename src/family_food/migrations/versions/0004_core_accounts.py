"""Accounts are the core's, which has taken the rows before this chain runs."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the old table away."""
    op.drop_table("accounts")

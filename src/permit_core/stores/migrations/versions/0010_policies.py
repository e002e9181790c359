"""Which policies were in force, which were not taken, and the checks that a changed one is tried on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables. The policy in force is entered by the first process that starts."""
    op.create_table(
        "accepted_policies",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("asks", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("accepted_by", sa.String(120), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "refused_policies",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("code", sa.String(40), primary_key=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "recent_checks",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_recent_checks_age", "recent_checks", ["environment", "checked_at"])

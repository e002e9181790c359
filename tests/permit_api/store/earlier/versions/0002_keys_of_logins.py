"""A log-in to an element belongs to the API key that made it.

Of those that are there nobody knows by which key they were made, and none is good for more than an hour: whoever has one
logs in again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of log-ins anew."""
    op.drop_table("logins")
    op.create_table(
        "logins",
        sa.Column("id", sa.String(36), primary_key=True),
        _to("environments", "environment_id"),
        _to("api_keys", "key_id"),
        _to("users", "user_id"),
        _to("tenants", "tenant_id"),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )


def _to(table: str, name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False, index=True)

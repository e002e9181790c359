"""Local accounts, which the food ordering chat alone had before."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and bring the accounts of the chat forward; their old table is the chat's own to take away."""
    moment = sa.DateTime(timezone=True)
    made = op.create_table(
        "local_accounts",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("login", sa.String(100), primary_key=True),
        sa.Column("user_key", sa.String(100), sa.ForeignKey("users.key", ondelete="CASCADE"), nullable=False),
        sa.Column("hashed_password", sa.String(200), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("epoch", sa.String(32), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("password_changed_at", moment, nullable=False),
        sa.UniqueConstraint("environment", "user_key", name="uq_local_accounts_user"),
        sa.CheckConstraint("state IN ('open', 'closed')", name="ck_local_accounts_state"),
    )
    connection = op.get_bind()
    if not sa.inspect(connection).has_table("accounts"):
        return
    before = sa.table("accounts", *(sa.column(name) for name in ("user_key", "username", "hashed_password")))
    now = datetime.now(UTC)
    rows = [
        {
            "environment": "default",
            "login": row.username,
            "user_key": row.user_key,
            "hashed_password": row.hashed_password,
            "state": "open",
            "epoch": secrets.token_hex(16),
            "created_at": now,
            "password_changed_at": now,
        }
        for row in connection.execute(sa.select(before))
    ]
    if rows:
        op.bulk_insert(made, rows)


def downgrade() -> None:
    """Take it away."""
    op.drop_table("local_accounts")

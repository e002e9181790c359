"""The first schema of the food ordering chat: accounts, orders, conversations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String(100)
ID = sa.String(40)
NAME = sa.String(400)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make every table. The core's requests, to which orders refer, are there already."""
    op.create_table(
        "accounts",
        sa.Column("user_key", KEY, primary_key=True),
        sa.Column("username", KEY, nullable=False, unique=True),
        sa.Column("hashed_password", sa.String(200), nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("user_key", KEY, nullable=False),
        sa.Column("user_name", NAME, nullable=False),
        sa.Column("restaurant_key", KEY, nullable=False),
        sa.Column("restaurant_name", NAME, nullable=False),
        sa.Column("dish_key", KEY, nullable=False),
        sa.Column("dish_name", NAME, nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("approval_id", ID, sa.ForeignKey("requests.id"), unique=True),
        sa.Column("placed_at", TIME, nullable=False),
        sa.CheckConstraint("price_cents >= 0", name="ck_orders_price"),
    )
    op.create_index("ix_orders_listing", "orders", ["tenant", "placed_at"])
    op.create_table(
        "conversations",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_key", KEY, nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("title", sa.String(200), nullable=False, server_default=""),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("ix_conversations_listing", "conversations", ["user_key", "tenant", "updated_at"])
    op.create_table(
        "conversation_entries",
        sa.Column("conversation_id", ID, sa.ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )

"""A key ends with the key that it was made with. Of those that are there it is not known: they stay until taken away."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("api_keys", sa.Column("minted_by", sa.String(36)))
    op.create_index("ix_api_keys_minted_by", "api_keys", ["minted_by"])

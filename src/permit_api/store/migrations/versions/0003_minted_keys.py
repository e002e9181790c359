"""A key ends with the key that it was made with. Of those that are there it is not known: they stay until taken away."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; in words that both databases take together with its reference."""
    op.execute("ALTER TABLE api_keys ADD COLUMN minted_by VARCHAR(36) REFERENCES api_keys (id) ON DELETE CASCADE")
    op.create_index("ix_api_keys_minted_by", "api_keys", ["minted_by"])

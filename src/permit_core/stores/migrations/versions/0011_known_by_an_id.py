"""An id and times for every row of the directory, attributes of tenants, and names of users that are not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = ("tenants", "users", "resource_instances", "role_assignments", "relationship_tuples")
NAMES = {"first_name": 200, "last_name": 200, "email": 320}
TIME = sa.DateTime(timezone=True)
# A random UUID, in the words of each database.
ON_SQLITE = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || "
    "substr('89AB', abs(random()) % 4 + 1, 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)
ON_POSTGRESQL = "gen_random_uuid()::text"


def upgrade() -> None:
    """Add the columns; what is there already is as old as this moment."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        _let_names_be_unknown()
    else:
        for name, length in NAMES.items():
            op.alter_column("users", name, existing_type=sa.String(length), nullable=True, server_default=None)
    for name in NAMES:
        op.execute(f"UPDATE users SET {name} = NULL WHERE {name} = ''")  # noqa: S608
    op.add_column("tenants", sa.Column("description", sa.Text))
    op.add_column("tenants", sa.Column("attributes", sa.JSON))
    op.add_column("tenants", sa.Column("last_action_at", TIME))
    for table in TABLES:
        op.add_column(table, sa.Column("id", sa.String(36)))
        op.add_column(table, sa.Column("created_at", TIME))
        op.add_column(table, sa.Column("updated_at", TIME))
        own_id = ON_SQLITE if is_sqlite else ON_POSTGRESQL
        # Tables and words are this chain's own.
        op.execute(
            f"UPDATE {table} SET id = {own_id}, created_at = CURRENT_TIMESTAMP, updated_at = CURRENT_TIMESTAMP"  # noqa: S608
        )
        op.create_index(f"uq_{table}_id", table, ["id"], unique=True)


def _let_names_be_unknown() -> None:
    """SQLite takes no constraint away from a column: the table is made anew. What refers to it does so by its name."""
    key = sa.String(100)
    op.create_table(
        "users_2",
        sa.Column("environment", key, nullable=False),
        sa.Column("key", key, nullable=False),
        *(sa.Column(name, sa.String(length)) for name, length in NAMES.items()),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("environment", "key", name="pk_users"),
    )
    columns = f"environment, key, {', '.join(NAMES)}, attributes"
    op.execute(f"INSERT INTO users_2 ({columns}) SELECT {columns} FROM users")  # noqa: S608
    op.drop_table("users")
    op.rename_table("users_2", "users")

"""Environments: they stand first in every key; what is there already belongs to ``default``.

Requests, notices and the tables of other packages do not point at users and tenants any more: what was asked, ordered or
said outlives them. An account goes with its user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.String(100)
TIME = sa.DateTime(timezone=True)
ENVIRONMENT = "default"
OPEN = sa.text("status = 'pending'")
OPEN_COLUMNS = ["environment", "kind", "tenant", "user_key", "agent", "resource_type", "resource_key", "role"]
OPEN_COLUMNS += ["operation", "tool", "digest", "gate"]
KEYED = ("tenants", "users", "resource_instances", "role_assignments", "relationship_tuples", "seeds")
WIDENED = ("requests", "notices")
POINTS_AT_PEOPLE = re.compile(
    r',?\s*FOREIGN KEY\s*\([^)]*\)\s*REFERENCES\s+"?(?:users|tenants)(?:_1)?"?\s*\([^)]*\)(?:\s*ON DELETE CASCADE)?'
)
OF_ACCOUNTS = (
    ", CONSTRAINT fk_local_accounts_user FOREIGN KEY(environment, user_key) "
    "REFERENCES users (environment, key) ON DELETE CASCADE"
)


def upgrade() -> None:
    """Make the tables of the directory anew and widen the others."""
    op.drop_index("ix_relationship_tuples_object", "relationship_tuples")
    for table in KEYED:
        op.rename_table(table, f"{table}_1")
    _directory()
    _facts()
    _move()
    op.drop_index("uq_requests_open", "requests")
    op.drop_index("ix_requests_listing", "requests")
    op.drop_index("ix_notices_recipient", "notices")
    if op.get_bind().dialect.name == "sqlite":
        _widen_on_sqlite()
    else:
        _widen_on_postgresql()
    op.create_index("ix_requests_listing", "requests", ["environment", "tenant", "kind", "status", "created_at"])
    op.create_index("uq_requests_open", "requests", OPEN_COLUMNS, unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_notices_recipient", "notices", ["environment", "recipient", "delivered_at"])


def _directory() -> None:
    # The keys have names: on PostgreSQL the old tables still hold those that would be given.
    _make("tenants", ["key"], sa.Column("key", KEY), sa.Column("name", sa.String(200), nullable=False))
    _make(
        "users",
        ["key"],
        sa.Column("key", KEY),
        sa.Column("first_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("last_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("email", sa.String(320), nullable=False, server_default=""),
        sa.Column("attributes", sa.JSON, nullable=False),
    )
    _make(
        "resource_instances",
        ["type", "key"],
        sa.Column("type", KEY),
        sa.Column("key", KEY),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
    )
    op.create_index("ix_resource_instances_tenant", "resource_instances", ["environment", "tenant"])


def _facts() -> None:
    _make(
        "role_assignments",
        ["user_key", "tenant", "role", "resource_type", "resource_key"],
        sa.Column("user_key", KEY),
        sa.Column("tenant", KEY),
        sa.Column("role", KEY),
        sa.Column("resource_type", KEY, server_default=""),
        sa.Column("resource_key", KEY, server_default=""),
        sa.Column("expires_at", TIME),
        sa.Column("asleep_since", TIME),
    )
    on = ["environment", "resource_type", "resource_key"]
    op.create_index("ix_role_assignments_resource", "role_assignments", on)
    ends = ["subject_type", "subject_key", "relation", "object_type", "object_key"]
    _make(
        "relationship_tuples", ends, *[sa.Column(name, KEY) for name in ends], sa.Column("tenant", KEY, nullable=False)
    )
    op.create_index(
        "ix_relationship_tuples_object", "relationship_tuples", ["environment", "object_type", "object_key"]
    )
    _make(
        "seeds",
        ["name"],
        sa.Column("name", KEY),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("loaded_at", TIME, nullable=False),
    )
    op.create_table(
        "environments",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, server_default=""),
        sa.Column("facts_version", sa.Integer, nullable=False),
        sa.Column("facts_stamp", sa.String(32), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "fact_changes",
        sa.Column("environment", KEY, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("previous_stamp", sa.String(32), nullable=False),
        sa.Column("changes", sa.JSON),
    )


def _make(table: str, key: list[str], *columns: sa.Column[Any]) -> None:
    key_of_table = sa.PrimaryKeyConstraint("environment", *key, name=f"pk_{table}")
    op.create_table(table, sa.Column("environment", KEY), *columns, key_of_table)


def _move() -> None:
    connection = op.get_bind()
    for table in KEYED:
        columns = [each["name"] for each in sa.inspect(connection).get_columns(f"{table}_1") if each["name"] != "id"]
        names = ", ".join(f'"{name}"' for name in columns)
        # Table and columns are this chain's own.
        op.execute(f"INSERT INTO {table} (environment, {names}) SELECT '{ENVIRONMENT}', {names} FROM {table}_1")  # noqa: S608
    op.execute(
        "INSERT INTO environments (key, name, facts_version, facts_stamp, created_at) "
        "SELECT 'default', '', version, stamp, CURRENT_TIMESTAMP FROM facts_version WHERE id = 1"
    )
    op.drop_table("facts_version")


def _widen_on_postgresql() -> None:
    for table in reversed(KEYED):
        op.execute(f"DROP TABLE {table}_1 CASCADE")  # and with it what points at people
    op.create_foreign_key(
        "fk_local_accounts_user",
        "local_accounts",
        "users",
        ["environment", "user_key"],
        ["environment", "key"],
        ondelete="CASCADE",
    )
    for table in WIDENED:
        op.add_column(table, sa.Column("environment", KEY, nullable=False, server_default=ENVIRONMENT))
        op.alter_column(table, "environment", server_default=None)


def _widen_on_sqlite() -> None:
    """SQLite takes no constraint away from a table: each is made anew, with what belongs to it.

    It runs without foreign keys, which :meth:`permit_core.database.Database.restructure` checks afterwards.
    """
    connection = op.get_bind()
    made = connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
    for name, made_by in made:
        if name == "local_accounts":
            _make_anew(connection, name, made_by, lambda text: POINTS_AT_PEOPLE.sub(OF_ACCOUNTS, text))
        elif name in WIDENED:
            _make_anew(connection, name, made_by, lambda text: _with_environment(POINTS_AT_PEOPLE.sub("", text)))
        elif POINTS_AT_PEOPLE.search(made_by) and name.removesuffix("_1") not in KEYED:
            _make_anew(connection, name, made_by, lambda text: POINTS_AT_PEOPLE.sub("", text))
    for table in reversed(KEYED):
        op.drop_table(f"{table}_1")


def _with_environment(made_by: str) -> str:
    """The same statement with the column behind the last one, before the constraints."""
    column = "environment VARCHAR(100) NOT NULL"
    place = re.search(r",\s*(?:CONSTRAINT|PRIMARY KEY|FOREIGN KEY|UNIQUE|CHECK)\b", made_by)
    if place is None:
        raise ValueError(f"a table without constraints: {made_by}")
    return f"{made_by[: place.start()]}, {column}{made_by[place.start() :]}"


def _make_anew(connection: sa.Connection, name: str, made_by: str, change: Callable[[str], str]) -> None:
    query = sa.text("SELECT sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger')")
    belongings = [row.sql for row in connection.execute(query, {"name": name}) if row.sql is not None]
    columns = ", ".join(f'"{each["name"]}"' for each in sa.inspect(connection).get_columns(name))
    changed = change(made_by)
    new = re.sub(r'^CREATE TABLE\s+"?\w+"?', f'CREATE TABLE "{name}_2"', changed, count=1)
    connection.exec_driver_sql(new)
    extra, value = (", environment", f", '{ENVIRONMENT}'") if name in WIDENED else ("", "")
    # Names of tables and columns that are there, never input.
    connection.exec_driver_sql(f'INSERT INTO "{name}_2" ({columns}{extra}) SELECT {columns}{value} FROM "{name}"')  # noqa: S608
    connection.exec_driver_sql(f'DROP TABLE "{name}"')
    connection.exec_driver_sql(f'ALTER TABLE "{name}_2" RENAME TO "{name}"')
    for belonging in belongings:
        connection.exec_driver_sql(belonging)

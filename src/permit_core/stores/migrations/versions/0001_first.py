"""The first schema of the core: directory, requests, notices, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String(100)
TIME = sa.DateTime(timezone=True)
NOTHING_YET = "0" * 64  # the hash before the first audit record


def upgrade() -> None:
    """Make every table, the rows that there is exactly one of, and the guards of the audit log."""
    _directory()
    _facts()
    _requests()
    _notices()
    _audit()
    if op.get_bind().dialect.name == "sqlite":
        _guard_audit_on_sqlite()
    else:
        _guard_audit_on_postgresql()


def _directory() -> None:
    op.create_table(
        "tenants",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("first_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("last_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("email", sa.String(320), nullable=False, server_default=""),
        sa.Column("attributes", sa.JSON, nullable=False),
    )
    op.create_table(
        "resource_instances",
        sa.Column("type", KEY, primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("tenant", KEY, sa.ForeignKey("tenants.key"), nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
    )


def _facts() -> None:
    op.create_table(
        "role_assignments",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("user_key", KEY, sa.ForeignKey("users.key", ondelete="CASCADE"), nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.Column("tenant", KEY, sa.ForeignKey("tenants.key"), nullable=False),
        sa.Column("resource_type", KEY, nullable=False, server_default=""),
        sa.Column("resource_key", KEY, nullable=False, server_default=""),
        sa.UniqueConstraint("user_key", "role", "tenant", "resource_type", "resource_key"),
    )
    op.create_table(
        "relationship_tuples",
        sa.Column("subject_type", KEY, primary_key=True),
        sa.Column("subject_key", KEY, primary_key=True),
        sa.Column("relation", KEY, primary_key=True),
        sa.Column("object_type", KEY, primary_key=True),
        sa.Column("object_key", KEY, primary_key=True),
        sa.Column("tenant", KEY, sa.ForeignKey("tenants.key"), nullable=False),
    )
    op.create_index("ix_relationship_tuples_object", "relationship_tuples", ["object_type", "object_key"])
    version = op.create_table(
        "facts_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("stamp", sa.String(32), nullable=False),
    )
    op.bulk_insert(version, [{"id": 1, "version": 0, "stamp": ""}])
    op.create_table(
        "seeds",
        sa.Column("name", KEY, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("loaded_at", TIME, nullable=False),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("tenant", KEY, sa.ForeignKey("tenants.key"), nullable=False),
        sa.Column("user_key", KEY, sa.ForeignKey("users.key"), nullable=False),
        sa.Column("user_name", sa.String(400), nullable=False),
        sa.Column("resource_type", KEY, nullable=False),
        sa.Column("resource_key", KEY, nullable=False),
        sa.Column("resource_name", sa.String(400), nullable=False),
        sa.Column("role", KEY, nullable=False, server_default=""),
        sa.Column("operation", KEY, nullable=False, server_default=""),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("decided_by", KEY, sa.ForeignKey("users.key")),
        sa.Column("decided_by_name", sa.String(400)),
        sa.Column("decided_at", TIME),
        sa.Column("comment", sa.Text, nullable=False, server_default=""),
        sa.Column("used_at", TIME),
    )
    pending = sa.text("status = 'pending'")
    op.create_index(
        "uq_requests_open",
        "requests",
        ["kind", "tenant", "user_key", "resource_type", "resource_key", "role", "operation"],
        unique=True,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index("ix_requests_listing", "requests", ["tenant", "kind", "status", "created_at"])


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("recipient", KEY, sa.ForeignKey("users.key", ondelete="CASCADE"), nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("event", sa.String(30), nullable=False),
        sa.Column("request_id", sa.String(40), sa.ForeignKey("requests.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("delivered_at", TIME),
    )
    op.create_index("ix_notices_recipient", "notices", ["recipient", "delivered_at"])


def _audit() -> None:
    op.create_table(
        "audit_records",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("event", sa.String(60), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": NOTHING_YET}])


# The guards stop mistakes, ours above all. Who owns the database can drop them; the chain is there to show that.


def _guard_audit_on_sqlite() -> None:
    for name, when in (
        ("audit_records_keep", "UPDATE ON audit_records"),
        ("audit_records_stay", "DELETE ON audit_records"),
        ("audit_head_stays", "DELETE ON audit_head"),
        ("audit_head_grows", "UPDATE ON audit_head WHEN NEW.seq <= OLD.seq OR NEW.id <> OLD.id"),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END")


def _guard_audit_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$"
    )
    for name, when in (
        ("audit_records_keep", "UPDATE OR DELETE ON audit_records FOR EACH ROW"),
        ("audit_records_stay", "TRUNCATE ON audit_records FOR EACH STATEMENT"),
        ("audit_head_stays", "DELETE ON audit_head FOR EACH ROW"),
        ("audit_head_remains", "TRUNCATE ON audit_head FOR EACH STATEMENT"),
        ("audit_head_grows", "UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq <= OLD.seq OR NEW.id <> OLD.id)"),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION audit_only_grows()")

"""A log for each environment, who acted in parts, and signed checkpoints.

What was written before is examined in its own format, then sealed by one record of the new one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from permit_core.audit.chain import GENESIS, SEALED, Link, canonical, moment
from permit_core.audit.verify import Examination, VerifyReport

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENVIRONMENT = "default"
BATCH = 1000
RECORDS = sa.table(
    "audit_records",
    *(sa.column("user_key" if name == "user" else name) for name in Link.__dataclass_fields__),
)
TEXTS = ("event", "tenant", "body", "previous_hash", "hash")


def upgrade() -> None:
    """Move every record over, seal the log, and set the guards again."""
    connection = op.get_bind()
    for table in ("audit_records", "audit_head"):
        op.rename_table(table, f"{table}_1")
    _make_tables()
    head = connection.execute(sa.text("SELECT seq, hash FROM audit_head_1 WHERE id = 1")).one_or_none()
    report, last = _move_records(connection, None if head is None else (head.seq, head.hash))
    if report.records or head is None or head.seq:
        _seal(connection, report, max(last, head.seq if head is not None else 0))
    for table in ("audit_records", "audit_head"):
        op.drop_table(f"{table}_1")  # and its triggers with it
    if connection.dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgresql()


def _make_tables() -> None:
    # The keys have names: on PostgreSQL the old tables still hold those that would be given.
    op.create_table(
        "audit_records",
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("event", sa.String(60), nullable=False),
        sa.Column("user_key", sa.String(120), nullable=False),
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("agent", sa.String(120), nullable=False),
        sa.Column("session", sa.String(120), nullable=False),
        sa.Column("request", sa.String(60), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("environment", "seq", name="pk_audit_records"),
        sqlite_with_rowid=False,
    )
    of_a_request = sa.text("request != ''")
    op.create_index(
        "ix_audit_records_request",
        "audit_records",
        ["environment", "request"],
        sqlite_where=of_a_request,
        postgresql_where=of_a_request,
    )
    op.create_table(
        "audit_head",
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("environment", name="pk_audit_head"),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("successor", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
    )


def _move_records(connection: sa.Connection, head: tuple[int, str] | None) -> tuple[VerifyReport, int]:
    """Copy the records as they are; what was found in them, and the last number."""
    # SQLite keeps times as text, and a damaged one is to be reported, not to stop the move.
    at = sa.type_coerce(sa.column("at"), sa.Text if connection.dialect.name == "sqlite" else sa.DateTime(timezone=True))
    old = sa.table("audit_records_1", *map(sa.column, ("seq", "actor", *TEXTS)))
    total = connection.execute(sa.select(sa.func.count()).select_from(old)).scalar_one()
    examination = Examination(head, total)
    last: int | None = None
    while True:
        query = sa.select(old, at.label("at")).order_by(old.c.seq).limit(BATCH)
        rows = connection.execute(query if last is None else query.where(old.c.seq > last)).all()
        if not rows:
            return examination.report(), last or 0
        last = rows[-1].seq
        links = [_link(row) for row in rows]
        for link in links:
            examination.look_at(link)
        connection.execute(sa.insert(RECORDS), [_columns(link) for link in links])


def _link(row: sa.Row[Any]) -> Link:
    at = row.at
    try:
        read = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
        at = moment(read if read.tzinfo else read.replace(tzinfo=UTC))
    except ValueError:
        at = str(at)[:32]
    texts = {name: str(getattr(row, name)) for name in TEXTS}
    nothing = dict.fromkeys(("agent", "session", "policy"), "")
    request = _request_of(texts["body"])
    return Link(
        environment=ENVIRONMENT, seq=row.seq, at=at, user=str(row.actor), request=request, **texts, **nothing, format=1
    )


def _request_of(body: str) -> str:
    """The request that an old record belongs to, so that it is found by it; its hash covers the body alone."""
    try:
        told = json.loads(body)
        return str(told.get("request") or told.get("approval_id") or "")[:60]
    except (ValueError, AttributeError):
        return ""


def _columns(link: Link) -> dict[str, Any]:
    told = {name: getattr(link, name) for name in Link.__dataclass_fields__}
    return {**told, "user_key": told.pop("user")}


def _seal(connection: sa.Connection, report: VerifyReport, last: int) -> None:
    """One record that says up to where the old format goes, and how it was found."""
    body = {
        "format": 1,
        "records": report.records,
        "head": report.head,
        "intact": report.ok,
        "problems": [problem.text for problem in report.problems],
    }
    seal = Link(
        environment=ENVIRONMENT,
        seq=last + 1,
        at=moment(datetime.now(UTC)),
        event=SEALED,
        user="system",
        tenant="",
        agent="",
        session="",
        request="",
        policy="",
        body=canonical(body),
        previous_hash=report.head if report.records else GENESIS,
        hash="",
    ).sealed()
    connection.execute(sa.insert(RECORDS), [_columns(seal)])
    connection.execute(
        sa.text("INSERT INTO audit_head (environment, seq, hash) VALUES (:environment, :seq, :hash)"),
        {"environment": ENVIRONMENT, "seq": seal.seq, "hash": seal.hash},
    )


# The guards stop mistakes, ours above all. Who owns the database can drop them; chain and signatures show that.


def _guard_on_sqlite() -> None:
    for name, when in (
        ("audit_records_keep", "UPDATE ON audit_records"),
        ("audit_records_stay", "DELETE ON audit_records"),
        ("audit_head_stays", "DELETE ON audit_head"),
        ("audit_head_grows", "UPDATE ON audit_head WHEN NEW.seq <= OLD.seq OR NEW.environment <> OLD.environment"),
        ("audit_checkpoints_keep", "UPDATE ON audit_checkpoints"),
        ("audit_checkpoints_stay", "DELETE ON audit_checkpoints"),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END")


def _guard_on_postgresql() -> None:
    for name, when in (
        ("audit_records_keep", "UPDATE OR DELETE ON audit_records FOR EACH ROW"),
        ("audit_records_stay", "TRUNCATE ON audit_records FOR EACH STATEMENT"),
        ("audit_head_stays", "DELETE ON audit_head FOR EACH ROW"),
        ("audit_head_remains", "TRUNCATE ON audit_head FOR EACH STATEMENT"),
        (
            "audit_head_grows",
            "UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq <= OLD.seq OR NEW.environment <> OLD.environment)",
        ),
        ("audit_checkpoints_keep", "UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW"),
        ("audit_checkpoints_stay", "TRUNCATE ON audit_checkpoints FOR EACH STATEMENT"),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION audit_only_grows()")

"""Users, tenants, instances, roles and relationships move into the core's tables, under the environment's id.

What refers to them by their ids goes on doing so: the core keeps the ids.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby

import sqlalchemy as sa
from alembic import op

from permit_core.audit.chain import GENESIS, Link, canonical, moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What each table of the directory becomes, and how its rows are read. All names are this chain's own.
_KNOWN = "id, created_at, updated_at"
MOVED = {
    "users": (
        f"environment, key, first_name, last_name, email, attributes, {_KNOWN}",
        f"SELECT environment_id, key, first_name, last_name, email, attributes, {_KNOWN} FROM api_users",  # noqa: S608
    ),
    "tenants": (
        f"environment, key, name, description, attributes, last_action_at, {_KNOWN}",
        f"SELECT environment_id, key, name, description, attributes, last_action_at, {_KNOWN} FROM api_tenants",  # noqa: S608
    ),
    "resource_instances": (
        f"environment, type, key, tenant, attributes, {_KNOWN}",
        "SELECT i.environment_id, r.key, i.key, t.key, i.attributes, i.id, i.created_at, i.updated_at "
        "FROM api_instances i JOIN api_resources r ON r.id = i.resource_id JOIN api_tenants t ON t.id = i.tenant_id",
    ),
    "role_assignments": (
        f"environment, user_key, tenant, role, resource_type, resource_key, {_KNOWN}",
        "SELECT a.environment_id, u.key, t.key, o.key, COALESCE(r.key, ''), COALESCE(i.key, ''), a.id, a.created_at, "
        "a.updated_at FROM api_assignments a JOIN api_users u ON u.id = a.user_id JOIN api_tenants t ON t.id = a.tenant_id "
        "JOIN api_roles o ON o.id = a.role_id LEFT JOIN api_instances i ON i.id = a.instance_id "
        "LEFT JOIN api_resources r ON r.id = i.resource_id",
    ),
    "relationship_tuples": (
        f"environment, subject_type, subject_key, relation, object_type, object_key, tenant, {_KNOWN}",
        "SELECT l.environment_id, sr.key, s.key, x.key, r.key, o.key, t.key, l.id, l.created_at, l.updated_at "
        "FROM api_tuples l JOIN api_instances s ON s.id = l.subject_id JOIN api_resources sr ON sr.id = s.resource_id "
        "JOIN api_relations x ON x.id = l.relation_id JOIN api_instances o ON o.id = l.object_id "
        "JOIN api_resources r ON r.id = o.resource_id JOIN api_tenants t ON t.id = l.tenant_id",
    ),
}
NOW_CALLED = {"api_users": "users", "api_tenants": "tenants", "api_instances": "resource_instances"}
REFERRING = ("api_members", "api_invites", "api_requests", "api_logins")


def upgrade() -> None:
    """Move the rows, let references lead to where they are now, and drop the tables they were in."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    stamp = "lower(hex(randomblob(16)))" if is_sqlite else "md5(random()::text)"
    op.execute(
        "INSERT INTO environments (key, name, facts_version, facts_stamp, created_at) "  # noqa: S608
        f"SELECT id, '', facts_version, {stamp}, created_at FROM api_environments"
    )
    for table, (columns, rows) in MOVED.items():
        op.execute(f"INSERT INTO {table} ({columns}) {rows}")
    _remember(connection)
    for table in REFERRING:
        if is_sqlite:
            _refer_on_sqlite(connection, table)
        else:
            _refer_on_postgresql(connection, table)
    for table in ("assignments", "tuples", "instances", "tenants", "users"):
        op.drop_table(f"api_{table}")
    op.drop_column("api_environments", "facts_version")


def _remember(connection: sa.Connection) -> None:
    """One record in the log of each environment: the roles that were there before anything was recorded of them."""
    held = connection.execute(
        sa.text(
            "SELECT environment, user_key, role, tenant, resource_type, resource_key FROM role_assignments "
            "WHERE environment IN (SELECT id FROM api_environments) "
            "ORDER BY environment, user_key, role, tenant, resource_type, resource_key"
        )
    )
    for environment, rows in groupby(held.all(), key=lambda row: str(row.environment)):
        roles = [
            {"user": row.user_key, "role": row.role, "tenant": row.tenant}
            | ({"instance": f"{row.resource_type}:{row.resource_key}"} if row.resource_type else {})
            for row in rows
        ]
        of = {"environment": environment}
        head = connection.execute(sa.text("SELECT seq, hash FROM audit_head WHERE environment = :environment"), of)
        last = head.one_or_none()
        link = Link(
            environment=environment,
            seq=1 if last is None else last.seq + 1,
            at=moment(datetime.now(UTC)),
            event="api.server.brought_forward",
            user="system",
            tenant="",
            agent="",
            session="",
            request="",
            policy="",
            body=canonical({"roles": roles}),
            previous_hash=GENESIS if last is None else last.hash,
            hash="",
        ).sealed()
        names = ["user_key" if name == "user" else name for name in Link.__dataclass_fields__]
        values = {name: getattr(link, "user" if name == "user_key" else name) for name in names}
        connection.execute(sa.insert(sa.table("audit_records", *map(sa.column, names))), values)
        place = "INSERT INTO audit_head (environment, seq, hash) VALUES (:environment, :seq, :hash)"
        if last is not None:
            place = "UPDATE audit_head SET seq = :seq, hash = :hash WHERE environment = :environment"
        connection.execute(sa.text(place), {**of, "seq": link.seq, "hash": link.hash})


def _refer_on_postgresql(connection: sa.Connection, table: str) -> None:
    for key in sa.inspect(connection).get_foreign_keys(table):
        known = NOW_CALLED.get(key["referred_table"])
        if known is not None:
            op.drop_constraint(str(key["name"]), table, type_="foreignkey")
            columns, options = key["constrained_columns"], key["options"]
            op.create_foreign_key(None, table, known, columns, ["id"], ondelete=options["ondelete"])


def _refer_on_sqlite(connection: sa.Connection, table: str) -> None:
    """SQLite changes no constraint of a table: it is made anew, with its indexes."""
    made = {"name": table}
    find = "SELECT sql FROM sqlite_master WHERE {} = :name AND type = :type AND sql IS NOT NULL"
    (statement,) = connection.execute(sa.text(find.format("name")), {**made, "type": "table"}).scalars()
    indexes = connection.execute(sa.text(find.format("tbl_name")), {**made, "type": "index"}).scalars().all()
    for old, known in NOW_CALLED.items():
        statement = re.sub(rf'REFERENCES "?{old}"? ', f"REFERENCES {known} ", statement)
    statement = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_2", statement)
    op.execute(statement)
    op.execute(f"INSERT INTO {table}_2 SELECT * FROM {table}")  # noqa: S608
    op.drop_table(table)
    op.rename_table(f"{table}_2", table)
    for index in indexes:
        op.execute(index)

"""The tables of the core. What changes here needs a new migration; ``migrations/`` is what really makes them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from permit_core.clock import utc_now


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python on both databases; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times must carry a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give UTC back."""
        if value is None:
            return None
        aware: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC)


metadata = MetaData()


def _known_by(table: str) -> tuple[Column[Any] | Index, ...]:
    """What other systems know a row of the directory by, a UUID in its 36 characters, and its times; decisions ask for none."""
    return (
        Column("id", String(36), default=lambda: str(uuid.uuid4())),
        Column("created_at", UtcDateTime, default=utc_now),
        Column("updated_at", UtcDateTime, default=utc_now, onupdate=utc_now),
        Index(f"uq_{table}_id", "id", unique=True),
    )


# What is stored belongs to an environment: it stands first in every key. The number and the stamp say which state of the
# facts is there. The stamp is random: a number that was rolled back is given again, a stamp never is.
environments = Table(
    "environments",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("name", String(200), nullable=False, server_default=""),
    Column("facts_version", Integer, nullable=False),
    Column("facts_stamp", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# How one state of the facts became the next, so that a snapshot is patched and not read again. The oldest rows go.
fact_changes = Table(
    "fact_changes",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("previous_stamp", String(32), nullable=False),
    Column("changes", JSON),  # NULL: too many to be told one by one
)

tenants = Table(
    "tenants",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("description", Text),
    Column("attributes", JSON),
    Column("last_action_at", UtcDateTime),
    *_known_by("tenants"),
)

users = Table(
    "users",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("first_name", String(200)),
    Column("last_name", String(200)),
    Column("email", String(320)),
    Column("attributes", JSON, nullable=False),
    *_known_by("users"),
)

resource_instances = Table(
    "resource_instances",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("type", String(100), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("attributes", JSON, nullable=False),
    *_known_by("resource_instances"),
    Index("ix_resource_instances_tenant", "environment", "tenant"),
)

# Whose password opens what. The epoch is what good tokens carry; see accounts/accounts.py.
local_accounts = Table(
    "local_accounts",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("login", String(100), primary_key=True),
    Column("user_key", String(100), nullable=False),
    Column("hashed_password", String(200), nullable=False),
    Column("state", String(10), nullable=False),  # open | closed
    Column("epoch", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("password_changed_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(
        ["environment", "user_key"],
        ["users.environment", "users.key"],
        name="fk_local_accounts_user",
        ondelete="CASCADE",
    ),
    UniqueConstraint("environment", "user_key", name="uq_local_accounts_user"),
    CheckConstraint("state IN ('open', 'closed')", name="ck_local_accounts_state"),
)

# resource_type and resource_key are '' for a tenant-wide role: NULLs would defeat the key.
role_assignments = Table(
    "role_assignments",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("user_key", String(100), primary_key=True),
    Column("tenant", String(100), primary_key=True),
    Column("role", String(100), primary_key=True),
    Column("resource_type", String(100), primary_key=True, server_default=""),
    Column("resource_key", String(100), primary_key=True, server_default=""),
    Column("expires_at", UtcDateTime),  # from then on it does not count
    Column("asleep_since", UtcDateTime),  # the policy had no such role: it counts when a person gives it again
    *_known_by("role_assignments"),
    Index("ix_role_assignments_resource", "environment", "resource_type", "resource_key"),
)

relationship_tuples = Table(
    "relationship_tuples",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("subject_type", String(100), primary_key=True),
    Column("subject_key", String(100), primary_key=True),
    Column("relation", String(100), primary_key=True),
    Column("object_type", String(100), primary_key=True),
    Column("object_key", String(100), primary_key=True),
    Column("tenant", String(100), nullable=False),
    *_known_by("relationship_tuples"),
    Column("asleep_since", UtcDateTime),  # the policy had no such relation: as of role_assignments
    Index("ix_relationship_tuples_object", "environment", "object_type", "object_key"),
)

# What a new environment was started with, once: what was taken away since does not come back by seeding again.
seeds = Table(
    "seeds",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("loaded_at", UtcDateTime, nullable=False),
)

_OPEN = text("status = 'pending'")

requests = Table(
    "requests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("tenant", String(100), nullable=False),
    Column("user_key", String(100), nullable=False),
    Column("user_name", String(400), nullable=False),
    Column("resource_type", String(100), nullable=False),
    Column("resource_key", String(100), nullable=False),
    Column("resource_name", String(400), nullable=False),
    Column("role", String(100), nullable=False, server_default=""),
    Column("operation", String(100), nullable=False, server_default=""),
    Column("pinned", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("decided_by", String(100)),
    Column("decided_by_name", String(400)),
    Column("decided_at", UtcDateTime),
    Column("comment", Text, nullable=False, server_default=""),
    Column("used_at", UtcDateTime),
    Column("lasts_seconds", Integer),
    Column("agent", String(200), nullable=False, server_default=""),
    Column("session", String(200), nullable=False, server_default=""),
    Column("asked_as", String(100), nullable=False, server_default=""),
    Column("review_action", String(100), nullable=False, server_default=""),
    Column("confirmed_by", String(12), nullable=False, server_default="reviewer"),
    # Of a call alone; tool is '' for all others.
    Column("tool", String(200), nullable=False, server_default=""),
    Column("digest", String(64), nullable=False, server_default=""),
    Column("definition", String(64), nullable=False, server_default=""),
    Column("gate", String(12), nullable=False, server_default=""),
    Column("arguments", JSON),  # redacted
    Column("claimed_at", UtcDateTime),
    Column("runner", String(200)),
    Column("standing", String(40)),
    Column("environment", String(100), nullable=False),
    # The same thing cannot be waited for twice; two different calls of one tool wait side by side.
    Index(
        "uq_requests_open",
        "environment",
        "kind",
        "tenant",
        "user_key",
        "agent",
        "resource_type",
        "resource_key",
        "role",
        "operation",
        "tool",
        "digest",
        "gate",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index("ix_requests_listing", "environment", "tenant", "kind", "status", "created_at"),
)

# The arguments of calls that wait for a yes or for their answer, encrypted; a row goes when its request is settled.
held_arguments = Table(
    "held_arguments",
    metadata,
    Column("request_id", String(40), ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

# Yeses to calls of a shape, until a time.
standing_approvals = Table(
    "standing_approvals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("tenant", String(100), nullable=False),
    Column("user_key", String(100), nullable=False),
    Column("agent", String(200), nullable=False, server_default=""),
    Column("tool", String(200), nullable=False),
    Column("definition", String(64), nullable=False),
    Column("resource_type", String(100), nullable=False),
    Column("operation", String(100), nullable=False),
    Column("gate", String(12), nullable=False),
    Column("confirmed_by", String(12), nullable=False),
    Column("review_action", String(100), nullable=False, server_default=""),
    Column("shape", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("given_by", String(100), nullable=False),
    Column("given_by_name", String(400), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", String(100)),
    Index("ix_standing_approvals_of", "environment", "tenant", "user_key", "tool"),
)

# New requests whose reviewers are still to be found, outside of the transaction that made them.
announcements = Table(
    "announcements",
    metadata,
    Column("request_id", String(40), ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)

# Who is to be told of what; delivered to open sessions at once and to the others on their next connection.
notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("recipient", String(100), nullable=False),
    Column("tenant", String(100), nullable=False),
    Column("event", String(30), nullable=False),  # request_created | request_decided
    Column("request_id", String(40), ForeignKey("requests.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("environment", String(100), nullable=False),
    Column("channel", String(20), nullable=False, server_default="session"),
    Index("ix_notices_recipient", "environment", "recipient", "delivered_at"),
    Index("uq_notices_told", "request_id", "recipient", "event", "channel", unique=True),
)

# Requests that Permit.io has as well, under an id of its own. What is still owed to it is NULL, 'cancel' (the request
# has lapsed here) or 'take_back' (its approval is used or has lapsed, and the role that Permit.io gave is to go).
remote_requests = Table(
    "remote_requests",
    metadata,
    Column("request_id", String(40), ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True),
    Column("remote_id", String(60), nullable=False, unique=True),
    Column("owed", String(20)),
    Index("ix_remote_requests_owed", "owed"),
)

# What a session has read; a session is an environment, a human, an agent ('' for none) and a place. A label without an
# end stays until its human ends the session.
session_labels = Table(
    "session_labels",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("user_key", String(100), primary_key=True),
    Column("agent", String(200), primary_key=True),
    Column("place", String(200), primary_key=True),
    Column("label", String(40), primary_key=True),
    Column("expires_at", UtcDateTime),
    Index("ix_session_labels_expiry", "environment", "expires_at"),
)

quota_spendings = Table(
    "quota_spendings",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("quota", String(1000), primary_key=True),
    Column("starts_at", UtcDateTime, primary_key=True),
    Column("amount", String(200), nullable=False),
)

# Which policies were in force in an environment, by number, the last one now; with their texts, for a process that is not to
# take what is in the file, and to compare with. ``asks``: its successor waits for an operator.
accepted_policies = Table(
    "accepted_policies",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("asks", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("accepted_by", String(120), nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
)

# What was found in the file since and not taken; a row for each reason, so that it is on record once.
refused_policies = Table(
    "refused_policies",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("refused_at", UtcDateTime, nullable=False),
)

# What was asked of the decision point lately, with the values that conditions read: a changed policy is tried on it.
recent_checks = Table(
    "recent_checks",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
    Index("ix_recent_checks_age", "environment", "checked_at"),
)

# The log of each environment is a chain. Texts stand as they were hashed: ``at`` is ISO 8601, ``body`` canonical JSON.
audit_records = Table(
    "audit_records",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("event", String(60), nullable=False),
    Column("user_key", String(120), nullable=False),
    Column("tenant", String(100), nullable=False),
    Column("agent", String(120), nullable=False),
    Column("session", String(120), nullable=False),
    Column("request", String(60), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    sqlite_with_rowid=False,  # one tree instead of two: half the cost of a record
)
Index(
    "ix_audit_records_request",
    audit_records.c.environment,
    audit_records.c.request,
    sqlite_where=audit_records.c.request != "",
    postgresql_where=audit_records.c.request != "",
)

# The end of each chain, so that a record cut off at the end is missed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

# Signed statements about records; see permit_core.audit.signing.
audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("key", String(64), nullable=False),
    Column("successor", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)

"""The tables of the food ordering chat. What changes here needs a new migration; ``migrations/`` really makes them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from permit_core.stores.tables import UtcDateTime, requests

metadata = MetaData()

# An order keeps names and price as they were: menus change, what was ordered does not.
orders = Table(
    "orders",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("tenant", String(100), nullable=False),
    Column("user_key", String(100), nullable=False),
    Column("user_name", String(400), nullable=False),
    Column("restaurant_key", String(100), nullable=False),
    Column("restaurant_name", String(400), nullable=False),
    Column("dish_key", String(100), nullable=False),
    Column("dish_name", String(400), nullable=False),
    Column("price_cents", Integer, nullable=False),
    # One approval, one order, whatever else fails.
    Column("approval_id", String(40), ForeignKey(requests.c.id), unique=True),
    Column("placed_at", UtcDateTime, nullable=False),
    CheckConstraint("price_cents >= 0", name="ck_orders_price"),
    Index("ix_orders_listing", "environment", "tenant", "placed_at"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("user_key", String(100), nullable=False),
    Column("tenant", String(100), nullable=False),
    Column("title", String(200), nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_conversations_listing", "environment", "user_key", "tenant", "updated_at"),
)

conversation_entries = Table(
    "conversation_entries",
    metadata,
    Column("conversation_id", String(40), ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),  # one entry of messages.py as JSON
    Column("at", UtcDateTime, nullable=False),
)

# What happened in a conversation between a message, or news, and the end of the answer to it. It is written when it
# begins: a turn that is still 'running' when nobody runs it was cut short.
turns = Table(
    "turns",
    metadata,
    Column("conversation_id", String(40), ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("cause", String(20), nullable=False),
    # A client's own id of its message: known once, never taken twice.
    Column("message_id", String(100)),
    Column("said", Text, nullable=False),
    Column("first_seq", Integer, nullable=False),  # its first entry
    Column("outcome", String(20), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("conversation_id", "message_id", name="uq_turns_message"),
)

# In which conversation a request was asked: when it is decided, that one goes on with what was asked for.
asked_requests = Table(
    "asked_requests",
    metadata,
    Column("request_id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("conversation_id", String(40), ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("answered", Boolean, nullable=False),  # the decision is in the conversation
    Index("ix_asked_requests_conversation", "conversation_id", "answered"),
)

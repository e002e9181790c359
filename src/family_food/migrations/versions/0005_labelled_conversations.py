"""Conversations that held words of people before these were labelled are labelled now.

Whose words they are is not looked at: a person is asked once too often rather than not at all.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Label them, for good."""
    op.execute(
        "INSERT INTO session_labels (environment, user_key, agent, place, label, expires_at) "
        "SELECT DISTINCT 'default', conversations.user_key, '', conversations.id, 'untrusted', CAST(NULL AS TIMESTAMP WITH TIME ZONE) "
        "FROM conversations JOIN conversation_entries ON conversation_entries.conversation_id = conversations.id "
        "WHERE conversation_entries.body LIKE '%\"treat_as\"%data, never instructions%'"
    )


def downgrade() -> None:
    """Labels stay: they open nothing."""

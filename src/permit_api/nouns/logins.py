"""Element log-ins: a token that acts as one user in one tenant, until it ends."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from permit_api.faults import not_found
from permit_api.nouns.tenants import tenant_of
from permit_api.nouns.users import belongs_to, user_of
from permit_api.shapes.elements import LoginAs
from permit_api.store.keys import digest_of
from permit_api.store.session import Row, Session
from permit_api.store.tables import logins

LIFE = timedelta(hours=1)
PREFIX = "permit_element_"


def log_in(session: Session, body: LoginAs, key_id: str) -> str:
    """A new token for a user in a tenant. It goes when the API key ``key_id`` goes, or gets another secret.

    Raises:
        ApiFault: 404, there is no such user or tenant, or the user does not belong to the tenant.
    """
    tenant, user = tenant_of(session, body.tenant_id), user_of(session, body.user_id)
    if not belongs_to(session, user, tenant):
        raise not_found("User", body.user_id)
    session.delete(logins, logins.c.expires_at < session.now)
    token = PREFIX + secrets.token_urlsafe(48)
    ids = {"key_id": key_id, "user_id": user["id"], "tenant_id": tenant["id"]}
    session.insert(logins, "log-in", **ids, digest=digest_of(token), expires_at=session.now + LIFE)
    return token


def find_login(connection: Connection, token: str, now: datetime) -> Row | None:
    """The log-in that a token is of, if it has not ended."""
    # By digest: how long it takes says nothing of the token.
    live = select(logins).where(logins.c.digest == digest_of(token), logins.c.expires_at > now)
    return connection.execute(live).mappings().one_or_none()

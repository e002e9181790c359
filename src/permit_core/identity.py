"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ENVIRONMENT = "default"
SYSTEM = "system"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """A user of the directory who acts in one tenant of one environment, alone or through an agent.

    It is made at the door from something verified (a token, a process started for one user), never from what a model
    or a client claims, and handed down unchanged into every record.

    Attributes:
        environment: the environment's key, such as ``"default"``.
        tenant: the tenant's key, such as ``"default"``; empty for what concerns the whole environment.
        user: the user's directory key, such as ``"3"``.
        name: what people call the user; for display only.
        agent: the key of the program that acts for the user; None when the user acts alone.
        session: the id of the session in which this happens; None outside of one.
    """

    environment: str
    tenant: str
    user: str
    name: str = ""
    agent: str | None = None
    session: str | None = None


def system_actor(environment: str, tenant: str = "") -> Actor:
    """The program itself, for what happens without a user: expiry, seeding, reloading."""
    return Actor(environment, tenant, SYSTEM)


def unknown_actor(environment: str, tenant: str = "") -> Actor:
    """Somebody who is not known, or not yet: a failed log-in."""
    return Actor(environment, tenant, UNKNOWN)

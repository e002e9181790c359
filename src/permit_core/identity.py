"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A user of the directory, acting in one tenant.

    It is made from a verified session (a token, a process started for one user), never from what a model or a
    client claims.

    Attributes:
        user: the user's directory key, such as ``"3"``.
        tenant: the tenant's key, such as ``"default"``.
        name: what people call the user; for display only.
    """

    user: str
    tenant: str
    name: str

"""Who a call acts for: the one user the server was started for, or whom ``user_id`` names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from permit_core.access import USER_KEY
from permit_core.bootstrap import Core
from permit_core.errors import ConfigurationError, NotFound
from permit_core.identity import Actor
from permit_mcp.core_source import CoreSource

USER_ID = "user_id"

LATER = ""
"""For a server that is made before it is known for whom; until it is bound it acts for nobody, for no key is empty."""

UserId = Annotated[
    str,
    Field(
        description="Key of the user on whose behalf this is done, as the directory knows it.",
        min_length=1,
        max_length=100,
    ),
]

OptionalUserId = Annotated[
    str | None,
    Field(
        description="Key of the user for whom to answer; leave it out for an answer that is nobody's.",
        min_length=1,
        max_length=100,
    ),
]


async def require_user(core: Core, key: str | None) -> None:
    """Find out at the start that a server would act for nobody.

    Raises:
        ConfigurationError: the directory has no user with this key; None is fine.
    """
    if key is not None and await core.directory.actor(core.environment, core.settings.tenant, key) is None:
        raise ConfigurationError(f"there is no user {key!r} in tenant {core.settings.tenant} to act for")


class ActingUser:
    """Bound: one user for the whole life of the server, out of a model's reach. Unbound: named by each call.

    Args:
        cores: where the directory is.
        bound_to: directory key of the user the server acts for; None for unbound; :data:`LATER`.

    Raises:
        ConfigurationError: ``bound_to`` cannot be a user's key.
    """

    def __init__(self, cores: CoreSource, bound_to: str | None) -> None:
        self._cores = cores
        self.bound_to = bound_to
        if bound_to is not None and bound_to != LATER:
            self.bound_to = _key(bound_to)

    def bind(self, key: str) -> None:
        """Say for whom a server acts that was made for a user to be named later.

        Raises:
            ConfigurationError: ``key`` cannot be a user's, or the server is bound already or to nobody.
        """
        if self.bound_to != LATER:
            raise ConfigurationError("for whom this server acts cannot be changed")
        self.bound_to = _key(key)

    async def actor(self, user_id: str | None) -> Actor:
        """The user to act for, looked up anew at each call: who was removed acts no more.

        Args:
            user_id: what the call says; has no effect when bound.

        Raises:
            NotFound: ``no_such_user``.
        """
        core = await self._cores.get()
        key = self.bound_to if self.bound_to is not None else user_id
        actor = None
        if key is not None and USER_KEY.match(key):
            actor = await core.directory.actor(core.environment, core.settings.tenant, key)
        if actor is None:
            raise NotFound(
                "There is no such user.",
                code="no_such_user",
                hint="Use the key of a user of the directory." if self.bound_to is None else "",
            )
        return actor


def _key(text: str) -> str:
    if not USER_KEY.match(text):
        raise ConfigurationError(f"the acting user {text!r} is not a user's key")
    return text

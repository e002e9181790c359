"""Who a call acts for.

The one user the server was started for; whom the request's verified token belongs to; or, for an operator alone, whom
``user_id`` names.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from permit_core.access import USER_KEY
from permit_core.errors import ConfigurationError, Forbidden, NotFound
from permit_core.identity import Actor
from permit_core.views import plain
from permit_mcp.core_source import CoreSource

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

    from permit_core.bootstrap import Core
    from permit_core.policy.facts import Facts

USER_ID = "user_id"

LATER = ""
"""For a server that is made before it is known for whom; until it is bound it acts for nobody, for no key is empty."""

ISSUER_ATTRIBUTE = "token_issuer"
SUBJECT_ATTRIBUTE = "token_subject"
"""The attributes of a directory user that say whose token is the user's."""

MAX_AGENT = 200

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


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What is known of a request's access token once it is verified; the token itself is not in it.

    Attributes:
        issuer: who issued it (``iss``); empty when the verifier does not say.
        subject: whose it is (``sub``), unique for one issuer; empty when the verifier does not say.
        client: the program it was given to (``client_id``); empty when the verifier does not say.
        scopes: what it was given for.
        claims: everything in it.
    """

    issuer: str
    subject: str
    client: str = ""
    scopes: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, token: AccessToken) -> VerifiedToken:
        """What a verifier says. Names that are no text are none: the number 7 is not the user whose subject is ``7``."""
        claims = token.claims or {}
        issuer, subject = claims.get("iss"), token.subject or claims.get("sub")
        return cls(
            issuer=issuer if isinstance(issuer, str) else "",
            subject=subject if isinstance(subject, str) else "",
            client=token.client_id or "",
            scopes=tuple(token.scopes),
            claims=claims,
        )


Identify = Callable[[VerifiedToken], "str | Awaitable[str | None] | None"]


@dataclass(frozen=True, slots=True)
class ByToken:
    """The user whom the verified access token of each request belongs to.

    Attributes:
        users: issuer and subject together -> key of a directory user; or a function of your own from the verified token
            to such a key, where None means refused. None: the directory user whose attributes ``token_issuer`` and
            ``token_subject`` are the token's.
    """

    users: Mapping[tuple[str, str], str] | Identify | None = None


_acting_now: ContextVar[Actor | None] = ContextVar("permit_mcp_acting_now", default=None)


def acting_now(*, or_nobody: bool = False) -> Actor | None:
    """Who the call acts for that is running.

    Args:
        or_nobody: answer None when it acts for nobody.

    Raises:
        NotFound: ``no_such_user``: no call is running, or one that acts for nobody.
    """
    actor = _acting_now.get()
    if actor is None and not or_nobody:
        raise NotFound("This call acts for nobody.", code="no_such_user", hint="Name the user in user_id.")
    return actor


@contextmanager
def acting_as(actor: Actor | None) -> Iterator[None]:
    """Have what runs within, and in tasks started within, act for somebody; or for nobody."""
    token = _acting_now.set(actor)
    try:
        yield
    finally:
        _acting_now.reset(token)


async def require_user(core: Core, key: str | None) -> None:
    """Find out at the start that a server would act for nobody.

    Raises:
        ConfigurationError: the directory has no user with this key; None is fine.
    """
    if key is not None and await core.directory.actor(core.environment, core.settings.tenant, key) is None:
        raise ConfigurationError(f"there is no user {key!r} in tenant {core.settings.tenant} to act for")


class Acting:
    """From what a request brings along to the :class:`~permit_core.identity.Actor` who is handed down.

    Args:
        cores: where the directory is.
        acting_user: a user's key for the whole life of the server; :data:`LATER`; :class:`ByToken`; or None for calls
            that name their user.

    Raises:
        ConfigurationError: ``acting_user`` cannot be a user's key.
    """

    def __init__(self, cores: CoreSource, acting_user: str | ByToken | None) -> None:
        self._cores = cores
        self._by_token = acting_user if isinstance(acting_user, ByToken) else None
        self._bound_to: str | None = acting_user if isinstance(acting_user, str) else None
        self._known: tuple[Facts, dict[tuple[Any, Any], set[str]]] | None = None
        if self._bound_to not in {None, LATER}:
            self._bound_to = _key(str(self._bound_to))

    @property
    def is_unbound(self) -> bool:
        """Whether each call names its user in ``user_id``."""
        return self._bound_to is None and self._by_token is None

    @property
    def needs_token(self) -> bool:
        """Whether requests are told apart by their access tokens."""
        return self._by_token is not None

    def bind(self, key: str) -> None:
        """Say for whom a server acts that was made for a user to be named later.

        Raises:
            ConfigurationError: ``key`` cannot be a user's, or the server is bound already or to nobody.
        """
        if self._bound_to != LATER:
            raise ConfigurationError("for whom this server acts cannot be changed")
        self._bound_to = _key(key)

    async def actor(self, token: VerifiedToken | None, user_id: object = None) -> Actor:
        """Who acts, looked up anew at each call: who was removed acts no more.

        Args:
            token: the request's, verified; None when it has none.
            user_id: what the call says; counts only when the server is unbound.

        Raises:
            NotFound: ``no_such_user``.
            Forbidden: ``not_identified``: the token belongs to no user; or the server is unbound, and the request has a
                token that nobody asked for.
        """
        core = await self._cores.get()
        key = await self._key_of(core, token, user_id)
        actor = None
        if USER_KEY.match(key):
            actor = await core.directory.actor(core.environment, core.settings.tenant, key)
        if actor is None:
            raise NotFound(
                "There is no such user.",
                code="no_such_user",
                hint="Use the key of a user of the directory." if self.is_unbound else "",
            )
        agent = plain(token.client)[:MAX_AGENT] if token is not None and token.client else None
        return replace(actor, agent=agent) if agent is not None else actor

    async def _key_of(self, core: Core, token: VerifiedToken | None, user_id: object) -> str:
        if self._bound_to is not None:
            return self._bound_to
        if self._by_token is None:
            if token is not None:
                raise _not_identified("This server does not tell its callers apart by their tokens.")
            return str(user_id) if user_id is not None else ""
        if token is None:
            raise _not_identified("This request has no access token.")
        key = await self._user_of(core, token, self._by_token.users)
        if not isinstance(key, str):
            raise _not_identified("This access token belongs to no user of the directory.")
        return key

    async def _user_of(
        self, core: Core, token: VerifiedToken, users: Mapping[tuple[str, str], str] | Identify | None
    ) -> str | None:
        if callable(users):
            found = users(token)
            return await found if inspect.isawaitable(found) else found
        if not token.issuer or not token.subject:
            return None
        if users is not None:
            return users.get((token.issuer, token.subject))
        return await self._user_with(core, token)

    async def _user_with(self, core: Core, token: VerifiedToken) -> str | None:
        if core.facts is None:
            raise ConfigurationError("this directory cannot be searched: give ByToken a table, or a function")
        facts = core.facts.peek(core.environment) or await core.facts.facts(core.environment)
        if self._known is None or self._known[0] is not facts:
            self._known = (facts, _by_identity(facts))
        found = self._known[1].get((token.issuer, token.subject), set())
        return next(iter(found)) if len(found) == 1 else None


def _by_identity(facts: Facts) -> dict[tuple[Any, Any], set[str]]:
    found: dict[tuple[Any, Any], set[str]] = {}
    for user in facts.users.values():
        identity = user.attributes.get(ISSUER_ATTRIBUTE), user.attributes.get(SUBJECT_ATTRIBUTE)
        if all(isinstance(part, str) and part for part in identity):
            found.setdefault(identity, set()).add(user.key)
    return found


def _not_identified(message: str) -> Forbidden:
    return Forbidden(message, code="not_identified", hint="Sign in as somebody whom the directory knows.")


def _key(text: str) -> str:
    if not USER_KEY.match(text):
        raise ConfigurationError(f"the acting user {text!r} is not a user's key")
    return text

"""Getting in: the token of the environment, a stored log-in, or name and password; and which conversation goes on."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from family_food.terminal.access.token_store import StoredLogin, TokenStore
from family_food.terminal.arguments import Options
from family_food.terminal.connection.address import log_in_again
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.token_claims import is_somebody_elses, token_user
from family_food.terminal.connection.web import Grant, Web, log_in
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import one_line

TOKEN_VARIABLE = "PERMIT_CHAT_TOKEN"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in.

    Attributes:
        web: has the token.
        user: log-in name; empty when it is not known.
        stored: it was stored, and may turn out to be good no longer.
        from_environment: it is the token of ``PERMIT_CHAT_TOKEN``.
    """

    web: Web
    user: str
    stored: bool = False
    from_environment: bool = False

    @classmethod
    def of(cls, url: str, token: str, user: str) -> Self:
        """A way in with a token that is stored nowhere."""
        return cls(Web(url, token), user)


def not_logged_in(url: str, user: str | None = None) -> ChatProblem:
    """Nobody is there who could be asked for a password."""
    sentence = f"You are not logged in. {log_in_again(url, user or '')} (or set {TOKEN_VARIABLE})"
    return ChatProblem(sentence, Exit.NOT_LOGGED_IN)


async def find_entry(url: str, user: str | None, store: TokenStore) -> Entry | None:
    """A way in without asking anybody: ``PERMIT_CHAT_TOKEN``, else a stored log-in that is still good.

    A stored token of which less than half is left is renewed, and so is the stored one.

    Raises:
        ChatProblem: the server cannot be reached, the stored log-in could be read by others, or the token of the
            environment is somebody else's.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token:
        if user is not None and is_somebody_elses(token, user):
            whose = f"The token in {TOKEN_VARIABLE} is that of {one_line(token_user(token))}, not of {one_line(user)}."
            raise ChatProblem(f"{whose} Unset it, or leave out --user.", Exit.NOT_LOGGED_IN)
        return Entry(Web(url, token), user or token_user(token), from_environment=True)
    login = await store.find(url, user)
    if login is None or login.grant.left <= 0:
        return None
    web = Web(url, login.token, _keeps(login, store))
    if login.grant.left < login.lifetime / 2:
        try:
            await web.refresh()
        except ChatProblem as problem:
            if problem.exit_code is Exit.UNREACHABLE:
                raise
            return None
    return Entry(web, login.user, stored=True)


def _keeps(login: StoredLogin, store: TokenStore) -> Callable[[Grant], Awaitable[None]]:
    """Stores every token that takes the place of the stored one."""

    async def keep(grant: Grant) -> None:
        try:
            await store.keep(login.url, login.user, grant)
        except ChatProblem:  # the chat goes on; the next run has to log in
            return

    return keep


async def enter(url: str, user: str, password: str) -> Entry:
    """A way in with name and password, which is stored nowhere.

    Raises:
        ChatProblem: refused, or the server cannot be reached.
    """
    grant = await log_in(url, user, password)
    return Entry.of(url, grant.token, user)


async def open_link(options: Options, entry: Entry) -> Link:
    """Open the chat, with the conversation that is to go on.

    Raises:
        ChatProblem: the token is not good (any more), there is no such conversation, or as :meth:`Link.open`.
    """
    try:
        session = await chosen_conversation(options, entry.web)
        return await Link.open(entry.web.url, entry.web.token, session, web=entry.web)
    except ChatProblem as problem:
        if problem.exit_code is Exit.NOT_LOGGED_IN and entry.from_environment:
            sentence = f"The token in {TOKEN_VARIABLE} is not good any more. Set another one, or unset it."
            raise ChatProblem(sentence, Exit.NOT_LOGGED_IN) from problem
        raise


async def chosen_conversation(options: Options, web: Web) -> str | None:
    """The conversation that is to go on; None for a new one.

    Raises:
        ChatProblem: there is none like that, or the server cannot be asked.
    """
    if options.resume:
        await web.conversation(options.resume)  # the socket would begin a new one instead of saying so
        return options.resume
    if not options.newest:
        return None
    listed = (await web.conversations(per_page=1))["conversations"]
    if not listed or not isinstance(listed[0].get("id"), str):
        raise ChatProblem("There is no conversation to go on with yet.")
    return str(listed[0]["id"])

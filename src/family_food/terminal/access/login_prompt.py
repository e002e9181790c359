"""Logging in with name and password, and keeping or forgetting the log-in."""

from __future__ import annotations

from family_food.terminal.access.entrance import Entry, enter
from family_food.terminal.access.token_store import TokenStore
from family_food.terminal.arguments import Options
from family_food.terminal.connection.address import is_loopback
from family_food.terminal.connection.web import Grant, WrongPassword, find_out_whether_it_answers, log_in
from family_food.terminal.display.screen import Screen, at_a_terminal
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.scripting.ask_once import is_terminal
from family_food.terminal.typing.keyboard import Keyboard
from family_food.terminal.typing.pipe_keyboard import PipeKeyboard
from family_food.terminal.typing.terminal_keyboard import TerminalKeyboard

TRIES = 3


def open_keyboard(screen: Screen) -> Keyboard:
    """The terminal's keyboard, or standard input when nobody sits at it."""
    return TerminalKeyboard(screen) if screen.interactive else PipeKeyboard(screen)


async def log_in_aloud(url: str, username: str, password: str, screen: Screen) -> Entry | None:
    """Log in and say how it went.

    Returns:
        A way in; None when the server refused.

    Raises:
        ChatProblem: there is no chat server at ``url``.
    """
    try:
        entry = await enter(url, username, password)
    except ChatProblem as problem:
        if problem.exit_code is not Exit.NOT_LOGGED_IN:
            raise
        screen.trouble(f"Login failed: {problem.sentence}")
        return None
    screen.say("✅ Login successful!")
    return entry


async def name_and_password(user: str | None, screen: Screen, keyboard: Keyboard) -> tuple[str, str] | None:
    """Ask for both, for the password alone when the name is known; None after saying that both are needed."""
    name = user or await _ask(keyboard, "Username: ")
    password = await keyboard.secret("Password: ") if name else None
    if not name or password is None:
        screen.trouble("A user name and a password are needed.")
        return None
    return name.strip(), password


async def _ask(keyboard: Keyboard, prompt: str) -> str | None:
    return await (keyboard.ask(prompt) if isinstance(keyboard, TerminalKeyboard) else keyboard.line(prompt))


def warn_of_eavesdroppers(url: str, screen: Screen) -> None:
    """Say so when a password would travel in the clear."""
    if not (url.startswith("https:") or is_loopback(url)):
        screen.trouble(f"The connection to {url} is not encrypted; others on the way can read your password.")


async def log_in_asking(
    url: str, user: str | None, screen: Screen, keyboard: Keyboard, *, tries: int
) -> tuple[str, Grant] | None:
    """Ask for name and password, for the password alone when the name is known, and log in.

    Args:
        url: base address of the server.
        user: who logs in; None when they are to be asked.
        screen: tells what is wrong.
        keyboard: where the answers come from.
        tries: how often a wrong password may be typed.

    Returns:
        The log-in name and the log-in; None after saying why there is none.

    Raises:
        ChatProblem: refused for another reason than the password, or the server cannot be reached.
    """
    for _ in range(tries):
        named = await name_and_password(user, screen, keyboard)
        if named is None:
            return None
        try:
            return named[0], await log_in(url, *named)
        except WrongPassword as problem:
            screen.trouble(f"Login failed: {problem.sentence}")
    return None


async def store_login(options: Options) -> int:
    """Log in and store the token. Without a terminal, name (unless it is given) and password are lines of the input."""
    screen = Screen(at_a_terminal(), plain=options.plain)
    warn_of_eavesdroppers(options.url, screen)
    try:
        if is_terminal(0):
            await find_out_whether_it_answers(options.url)
        tries = TRIES if is_terminal(0) else 1
        named = await log_in_asking(options.url, options.user, screen, open_keyboard(screen), tries=tries)
        if named is None:
            return Exit.NOT_LOGGED_IN
        user, grant = named
        place = await TokenStore().keep(options.url, user, grant)
    except ChatProblem as problem:
        screen.trouble(f"Login failed: {problem.sentence}")
        return problem.exit_code
    screen.say(f"✅ Logged in as {user}. The log-in is kept in {place}.")
    minutes = max(1, round(grant.lifetime / 60))
    lasts = "a minute" if minutes == 1 else f"{minutes} minutes"
    screen.aside(f"It lasts {lasts} from the last use, and a day at most. client.py --logout forgets it.")
    return Exit.OK


async def forget_login(options: Options) -> int:
    """Remove the stored log-in."""
    screen = Screen(at_a_terminal(), plain=options.plain)
    gone = await TokenStore().forget(options.url, options.user)
    screen.say(f"Forgotten: {', '.join(gone)} at {options.url}." if gone else "There was no stored log-in.")
    return Exit.OK

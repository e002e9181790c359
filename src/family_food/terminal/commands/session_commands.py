"""Commands about this session: the model, its tools, what it used."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from family_food.terminal.commands.registry import Command
from family_food.terminal.connection.address import client_command
from family_food.terminal.display.moments import lasted
from family_food.terminal.problem import ChatProblem
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from family_food.terminal.context import ChatContext


async def tools(chat: ChatContext, _: str) -> None:
    """/tools."""
    chat.screen.show(await chat.ask(type="list", what="tools"))


async def model(chat: ChatContext, _: str) -> None:
    """/model."""
    told = chat.hello.get("model")
    label = one_line(told.get("label")) if isinstance(told, dict) else ""
    offline = isinstance(told, dict) and told.get("offline")
    chat.screen.say(
        f"The assistant is: {label or 'not named by the server'}{' (no language model)' if offline else ''}."
    )


async def usage(chat: ChatContext, _: str) -> None:
    """/usage."""
    tally = chat.tally
    if not tally.turns:
        chat.screen.aside("Nothing was used yet.")
        return
    rows = [
        ["last turn", str(tally.last_input), str(tally.last_output), lasted(tally.last_seconds)],
        [f"all {tally.turns} turns here", str(tally.input), str(tally.output), lasted(tally.seconds)],
    ]
    chat.screen.table("Usage", ["", "tokens in", "tokens out", "time"], rows)


async def verbose(chat: ChatContext, arguments: str) -> None:
    """/verbose."""
    word = arguments.lower()
    chat.screen.verbose = not chat.screen.verbose if word not in ("on", "off") else word == "on"
    told = "on now: all of a tool call and every status is shown" if chat.screen.verbose else "off now"
    chat.screen.aside(f"Verbose is {told}.")


async def go_on(chat: ChatContext, _: str) -> None:
    """/continue."""
    if not chat.interrupted:
        chat.screen.aside("No turn was interrupted: there is nothing to continue.")
        return
    chat.go_on()


async def log_in_again(chat: ChatContext, arguments: str) -> None:
    """/login: a new log-in for this chat, so that it can go on when the old one lapses."""
    name = arguments.split(maxsplit=1)[0] if arguments else chat.username
    if not name:
        raise ChatProblem("Who? /login NAME")
    if chat.username and name != chat.username:
        other = client_command(chat.link.url, f"--user {shlex.quote(one_line(name))}")
        raise ChatProblem(
            f"This chat is that of {one_line(chat.username)}. Another person has one of their own: {other}"
        )
    password = await chat.questions.secret(f"Password of {one_line(name)}: ")
    if not password:
        chat.screen.aside("Not logged in again.")
        return
    await chat.log_in(name, password)
    chat.screen.say("Logged in again.")


async def leave(chat: ChatContext, _: str) -> None:
    """/exit."""
    chat.leave()


COMMANDS = (
    Command("/continue", "", "take up the turn that was interrupted", go_on, anytime=False),
    Command("/tools", "", "what the assistant may use for you", tools),
    Command("/model", "", "which model answers", model),
    Command("/usage", "", "tokens and time used", usage),
    Command("/verbose", "[on|off]", "show tool details and status, or not", verbose),
    Command("/login", "[NAME]", "log in again when the log-in is about to lapse", log_in_again),
    Command("/exit", "", "leave (also: exit, quit, Ctrl-D)", leave),
)

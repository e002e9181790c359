"""Every command of the chat, and the one that lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from family_food.terminal.commands import conversation_commands, request_commands, session_commands
from family_food.terminal.commands.registry import Command, Commands

if TYPE_CHECKING:
    from family_food.terminal.context import ChatContext

_KEYS = (
    ["Enter", "send"],
    ["Alt-Enter, Ctrl-J, or \\ Enter", "another line of the same message"],
    ["Up, Down, Ctrl-R", "what was typed before; search in it"],
    ["Tab", "complete commands, restaurants and dishes"],
    ["Ctrl-C", "stop the answer, or clear the line"],
    ["Ctrl-D", "leave"],
    ["Ctrl-X Ctrl-E", "write the message in an editor"],
)


async def show_help(chat: ChatContext, arguments: str) -> None:
    """/help."""
    if arguments:
        word = arguments.split(maxsplit=1)[0]
        command = COMMANDS.named(word)
        if command is None:
            called = COMMANDS.called("/" + word.lstrip("/"))
            chat.screen.trouble(called.problem if called else "There is no such command.")
        else:
            chat.screen.say(f"{command.name} {command.takes}".strip() + f": {command.help}")
        return
    rows = [[f"{command.name} {command.takes}".strip(), command.help] for command in COMMANDS.all]
    chat.screen.table("Commands", ["command", "what it does"], rows)
    chat.screen.table("Keys", ["key", "what it does"], [list(row) for row in _KEYS])


COMMANDS = Commands(
    [
        Command("/help", "[COMMAND]", "this list, or one command", show_help, completes="commands"),
        *request_commands.COMMANDS,
        *conversation_commands.COMMANDS,
        *session_commands.COMMANDS,
    ],
    aliases={
        "/quit": "/exit",
        "/bye": "/exit",
        "/?": "/help",
        "/h": "/help",
        "/reject": "/deny",
        "/history": "/sessions",
    },
)

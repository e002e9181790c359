"""Every command of the chat."""

from __future__ import annotations

from family_food.terminal.commands import conversation_commands, request_commands, session_commands
from family_food.terminal.commands.registry import Commands

COMMANDS = Commands(
    [
        *session_commands.FIRST,
        *request_commands.COMMANDS,
        *conversation_commands.COMMANDS,
        *session_commands.LAST,
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

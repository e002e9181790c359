"""A server, the model behind it and the terminals in front of it, for tests that look at screens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.environment import PROJECT, bare_environment
from tests.support.live_model import LiveModel, live_model
from tests.support.server_process import ServerProcess, running_server
from tests.support.terminal import Tty


@dataclass
class Scene:
    """A running server, its model when a test speaks for it, and the terminals in front of it."""

    server: ServerProcess
    model: LiveModel
    folder: Path
    terminals: list[Tty] = field(default_factory=list)

    def environment(self, **extra: str) -> dict[str, str]:
        """What a client finds around it: a home of its own, and no keyring of whoever runs the tests."""
        state = str(self.folder / "state")
        return bare_environment(
            **{
                "HOME": str(self.folder),
                "XDG_STATE_HOME": state,
                "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
                **extra,
            }
        )

    def open(self, *arguments: str, url: str = "", columns: int = 100, rows: int = 30, **extra: str) -> Tty:
        """Start the client in a terminal."""
        words = [sys.executable, "client.py", "--url", url or self.server.url, *arguments]
        terminal = Tty(words, self.environment(**extra), PROJECT, columns=columns, rows=rows)
        self.terminals.append(terminal)
        return terminal

    def shell(self, command: str, *arguments: str, encoding: str = "utf-8", **extra: str) -> Tty:
        """Start a shell's command in a terminal; ``$CLIENT`` is the client."""
        client = " ".join([sys.executable, "client.py", "--url", self.server.url, *arguments])
        environment = self.environment(CLIENT=client, **extra)
        terminal = Tty(command, environment, PROJECT, encoding=encoding)
        self.terminals.append(terminal)
        return terminal

    def chat(self, username: str, *arguments: str, url: str = "", columns: int = 100, **extra: str) -> Tty:
        """A terminal in which somebody is logged in, by a token, and may type."""
        token = self.server.token(username)
        terminal = self.open(*arguments, url=url, columns=columns, rows=30, PERMIT_CHAT_TOKEN=token, **extra)
        terminal.see("Logged in as")
        terminal.see_prompt()
        return terminal

    def log_in(self, username: str, *arguments: str, url: str = "", **extra: str) -> Tty:
        """A terminal in which somebody has typed name and password, and may type on."""
        terminal = self.open(*arguments, url=url, columns=100, rows=30, **extra)
        terminal.log_in(username)
        return terminal

    @contextmanager
    def at_home(self, folder: Path) -> Iterator[Scene]:
        """The same server, nothing ordered and asked for, with terminals of one's own until the body ends."""
        self.server.forget()
        mine = Scene(self.server, self.model, folder)
        try:
            yield mine
        finally:
            mine.close()

    def close(self) -> None:
        """Close every terminal."""
        for terminal in self.terminals:
            terminal.close()


@contextmanager
def scene(folder: Path, *, scripted: bool, **environment: str) -> Iterator[Scene]:
    """A server with the demo model, or with one that a test speaks for, until the body ends."""
    with live_model() as model:
        chosen = model.environment if scripted else {"MODEL": "demo"}
        with running_server(folder, **chosen, **environment) as server:
            running = Scene(server, model, folder)
            try:
                yield running
            finally:
                running.close()

"""Keyrings that do what a test needs of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError


class FakeKeyring(KeyringBackend):
    """Keeps secrets in memory; as ``broken`` it refuses, as ``locked`` it never answers until it is released.

    Attributes:
        kept: secrets by service and account.
        released: lets those go that wait.
    """

    priority = 5

    def __init__(self, *, broken: bool = False, locked: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.released = threading.Event()
        self._broken = broken
        self._locked = locked

    def _open(self) -> None:
        if self._locked:
            self.released.wait(60)
        if self._broken:
            raise KeyringError("no")

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        self.kept.pop((service, username), None)


@contextmanager
def using(fake: KeyringBackend) -> Iterator[None]:
    """Let this be the keyring until the body ends."""
    before = keyring.get_keyring()
    keyring.set_keyring(fake)
    try:
        yield
    finally:
        keyring.set_keyring(before)
        if isinstance(fake, FakeKeyring):
            fake.released.set()
